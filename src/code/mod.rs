//! The codes of all that a client can be refused or closed for: one table, out of which come
//! statuses and close codes, `mercury explain` and the lists of `docs/protocol.md`.

use crate::metrics::{Counter, Counters, REFUSAL_CODES_MAX};

/// What is known of a code.
#[derive(Debug)]
pub struct Entry {
    /// The code itself, stable from the first day.
    pub name: &'static str,
    /// A status (RFC 9110 15) or a close code (RFC 6455 7.4), which never overlap.
    pub number: u16,
    /// What it says.
    pub means: &'static str,
    /// What it usually comes from.
    pub cause: &'static str,
    /// What helps.
    pub cure: &'static str,
    /// The flag whose limit it is, without its dashes.
    pub flag: Option<&'static str>,
    /// Where it is counted, if not only among `refusals`.
    pub counter: Option<Tally>,
}

impl Entry {
    /// Whether a connection is closed with it, rather than a request refused.
    #[must_use]
    pub const fn is_close(&self) -> bool {
        self.number >= 1000
    }
}

/// A counter by its name.
#[derive(Debug)]
pub struct Tally {
    /// As the documents call it.
    pub name: &'static str,
    /// That of a thread.
    pub of: fn(&Counters) -> &Counter,
}

/// Makes an enum of codes and the table of what is known of them, in the same order.
macro_rules! codes {
    (
        $(#[$doc:meta])+ $type:ident, $(#[$table_doc:meta])+ $table:ident;
        $(
            $code:ident = $name:literal $number:literal {
                means: $means:literal,
                cause: $cause:literal,
                cure: $cure:literal,
                $(flag: $flag:literal,)?
                $(counter: $counter:ident,)?
            }
        )+
    ) => {
        $(#[$doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $type { $(#[doc = $means] $code,)+ }

        $(#[$table_doc])+
        pub static $table: &[Entry] = &[$(
            Entry {
                name: $name,
                number: $number,
                means: $means,
                cause: $cause,
                cure: $cure,
                flag: codes!(@optional $($flag)?),
                counter: codes!(@optional $(Tally {
                    name: stringify!($counter),
                    of: |counters| &counters.$counter,
                })?),
            },
        )+];

        impl $type {
            /// What is known of it.
            #[must_use]
            pub fn entry(self) -> &'static Entry {
                &$table[self as usize]
            }

            /// The code itself.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$code => $name,)+ }
            }

            /// Its status or close code.
            #[must_use]
            pub const fn number(self) -> u16 {
                match self { $(Self::$code => $number,)+ }
            }
        }
    };
    (@optional) => { None };
    (@optional $value:expr) => { Some($value) };
}

mod closes;
mod refusals;
#[cfg(test)]
mod tests;

pub use self::closes::{CLOSES, CloseCode};
pub use self::refusals::{REFUSALS, RefusalCode};

const _: () = assert!(REFUSALS.len() <= REFUSAL_CODES_MAX);

/// Statuses of the answers that have no code: they are not ours but those of the HTTP library,
/// which then closes.
pub const BARE: [(u16, &str); 2] = [
    (400, "what came is no HTTP request"),
    (431, "the head has more than 16 KiB or 100 fields, or they could not be read"),
];

/// All codes, those of refusals first.
pub fn all() -> impl Iterator<Item = &'static Entry> {
    REFUSALS.iter().chain(CLOSES)
}
