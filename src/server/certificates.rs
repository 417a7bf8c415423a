//! The certificates of listeners, and the thread that looks after them.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;

use super::{StartError, or_abort};
use crate::config::Listen;
use crate::handover::{Identity, Keeper};
use crate::limits::CERTIFICATE_LOOK_INTERVAL;

/// What a listener shows of itself, if it speaks TLS.
pub(super) fn identity(
    listen: &Listen,
    keeper: &mut Keeper,
) -> Result<Option<Identity>, StartError> {
    let identity = listen.tls.clone().map(|files| keeper.begin(files)).transpose();
    identity.map_err(|source| StartError::Certificate { url: listen.url.clone(), source })
}

/// The keeper is one thread that reads certificates, so that no disk keeps anybody else waiting.
pub(super) fn start_keeper(mut keeper: Keeper) -> Result<Option<mpsc::Sender<()>>, StartError> {
    if keeper.is_idle() {
        return Ok(None);
    }
    let (sender, asked) = mpsc::channel();
    let keep = move || {
        loop {
            match asked.recv_timeout(CERTIFICATE_LOOK_INTERVAL) {
                Ok(()) => keeper.look(true),
                Err(RecvTimeoutError::Timeout) => keeper.look(false),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    };
    thread::Builder::new()
        .name("keeper".to_owned())
        .spawn(move || or_abort("keeper", keep))
        .map_err(|source| StartError::Thread { what: "keeper".to_owned(), source })?;
    Ok(Some(sender))
}
