//! `mercury top`: shards, the busiest topics and the slowest consumers of a broker that runs. And
//! `mercury health`, which only asks whether it is ready.

mod client;
mod reading;
mod view;

use std::future::poll_fn;
use std::io::{self, IsTerminal as _, Write as _};
use std::pin::{Pin, pin};

use crossterm::event::{Event, EventStream, KeyCode, KeyEventKind, KeyModifiers};
use futures_core::Stream;
use ratatui::DefaultTerminal;
use tokio::runtime::Builder;
use tokio::signal::unix::SignalKind;
use tokio::time::{MissedTickBehavior, interval, sleep};

use self::client::ClientError;
use self::reading::{Lists, Picture, Reading, step};
use self::view::View;
use crate::config::{Target, Top};
use crate::handover::{ShardsPage, TopicSort};
use crate::signals::Signals;

/// Columns of a frame that is printed.
const COLUMNS: u16 = 80;
/// Rows of each part of it.
const ROWS: usize = 10;

/// Why there is nothing to see.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TopError {
    /// The broker did not answer the first time.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// There is nobody to look at it.
    #[error("standard output is no terminal; mercury top --once prints what it shows")]
    NoTerminal,
    /// The terminal, a signal or the runtime.
    #[error(transparent)]
    System(#[from] io::Error),
}

/// Shows a broker until somebody has seen enough.
pub(crate) fn run(top: &Top) -> Result<(), TopError> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async { if top.once { once(top).await } else { watch(top).await } })
}

/// Prints what a broker says that is ready; any other is an error.
pub(crate) fn health(target: &Target) -> Result<(), TopError> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let said = runtime.block_on(client::get(target, "/health/ready"))?;
    Ok(io::stdout().write_all(&said)?)
}

/// Prints what two looks say.
async fn once(top: &Top) -> Result<(), TopError> {
    let before = Reading::take(&top.target, TopicSort::Rate).await?.shards;
    sleep(top.interval).await;
    let Reading { shards, lists } = Reading::take(&top.target, TopicSort::Rate).await?;
    let picture = Picture::new(shards, lists?, Some(&before));
    let view = View {
        url: &top.target.url,
        picture: &picture,
        sort: TopicSort::Rate,
        trouble: None,
        has_keys: false,
    };
    Ok(io::stdout().write_all(view.text(COLUMNS, ROWS).as_bytes())?)
}

/// Draws until a key or a signal ends it. What it finds at first must be a broker; later it waits
/// for one that went away.
async fn watch(top: &Top) -> Result<(), TopError> {
    if !io::stdout().is_terminal() {
        return Err(TopError::NoTerminal);
    }
    let first = Reading::take(&top.target, TopicSort::Rate).await?;
    let kinds = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()];
    let mut signals = Signals::new(&kinds)?;
    let mut screen = Screen::new(first.shards, first.lists?)?;
    let mut keys = EventStream::new();
    let mut ticks = interval(top.interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // the first tick is now
    ticks.tick().await;
    loop {
        screen.draw(top)?;
        let sort = screen.sort;
        let wish = {
            let mut look = pin!(async {
                ticks.tick().await;
                Reading::take(&top.target, sort).await
            });
            loop {
                tokio::select! {
                    looked = &mut look => {
                        screen.show(looked);
                        break Wish::Redraw;
                    }
                    _ = signals.next() => return Ok(()),
                    event = next(&mut keys) => match wish(event?.as_ref()) {
                        Wish::Nothing => {}
                        Wish::Redraw => screen.draw(top)?,
                        wish => break wish,
                    }
                }
            }
        };
        match wish {
            Wish::Quit => return Ok(()),
            Wish::Sort { forward } => {
                screen.sort = step(screen.sort, forward);
                ticks.reset_immediately();
            }
            Wish::Redraw | Wish::Nothing => {}
        }
    }
}

/// What a key asks for.
enum Wish {
    Quit,
    Sort { forward: bool },
    Redraw,
    Nothing,
}

/// What an event of the terminal asks for; there are no more once it is gone.
fn wish(event: Option<&Event>) -> Wish {
    let key = match event {
        None => return Wish::Quit,
        Some(Event::Resize(..)) => return Wish::Redraw,
        Some(Event::Key(key)) if key.kind == KeyEventKind::Press => key,
        Some(_) => return Wish::Nothing,
    };
    match key.code {
        KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => Wish::Quit,
        KeyCode::Char('q') | KeyCode::Esc => Wish::Quit,
        KeyCode::Tab | KeyCode::Right | KeyCode::Down => Wish::Sort { forward: true },
        KeyCode::BackTab | KeyCode::Left | KeyCode::Up => Wish::Sort { forward: false },
        _ => Wish::Nothing,
    }
}

/// The next event of the terminal; `None` when there will be no more.
async fn next(keys: &mut EventStream) -> io::Result<Option<Event>> {
    poll_fn(|cx| Pin::new(&mut *keys).poll_next(cx)).await.transpose()
}

/// A terminal that is ours until this is dropped, whatever happens in between: a panic gives it
/// back as well.
struct Screen {
    terminal: DefaultTerminal,
    picture: Picture,
    /// What rates are counted from.
    before: ShardsPage,
    sort: TopicSort,
    /// What of the picture is old, and why.
    trouble: Option<String>,
}

impl Screen {
    fn new(before: ShardsPage, lists: Lists) -> io::Result<Self> {
        let picture = Picture::new(before.clone(), lists, None);
        let terminal = ratatui::try_init()?;
        Ok(Self { terminal, picture, before, sort: TopicSort::Rate, trouble: None })
    }

    /// Takes over what was seen, or why nothing was.
    fn show(&mut self, looked: Result<Reading, ClientError>) {
        match looked {
            Ok(Reading { shards, lists }) => {
                let reason = lists.as_ref().err().map(ClientError::reason);
                self.trouble = reason.map(|why| format!("topics and consumers are old: {why}"));
                let lists = lists.unwrap_or_else(|_| std::mem::take(&mut self.picture.lists));
                self.picture = Picture::new(shards.clone(), lists, Some(&self.before));
                self.before = shards;
            }
            Err(error) => self.trouble = Some(format!("reconnecting: {error}")),
        }
    }

    fn draw(&mut self, top: &Top) -> io::Result<()> {
        let view = View {
            url: &top.target.url,
            picture: &self.picture,
            sort: self.sort,
            trouble: self.trouble.as_deref(),
            has_keys: true,
        };
        self.terminal.draw(|frame| frame.render_widget(&view, frame.area()))?;
        Ok(())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        ratatui::restore();
    }
}
