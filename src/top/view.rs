//! What `mercury top` looks like, on a terminal and as text.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Style, Stylize};
use ratatui::text::Line;
use ratatui::widgets::{Cell, Paragraph, Row, Table, Widget, Wrap};

use super::reading::{Lists, Picture};
use crate::broker::Role;
use crate::config::Size;
use crate::grouped::Grouped;
use crate::handover::{ConnectionLine, TopicLine, TopicSort};

/// Below this many columns the last ones are left out.
const WIDE_COLUMNS: u16 = 76;
/// Lines of a part: its title, its heads, an empty one behind it.
const PART_LINES: u16 = 3;
/// What keys do.
const KEYS: &str = "q quits, Tab and arrows sort topics";

/// All that is shown.
pub(super) struct View<'a> {
    /// Whom we look at.
    pub(super) url: &'a str,
    /// What was seen last.
    pub(super) picture: &'a Picture,
    /// What the topics are sorted by.
    pub(super) sort: TopicSort,
    /// What of it is old, and why.
    pub(super) trouble: Option<&'a str>,
    /// Whether anybody can press keys.
    pub(super) has_keys: bool,
}

impl View<'_> {
    /// Lines that everything takes with so many of topics and of connections at most.
    pub(super) fn height(&self, rows: usize) -> u16 {
        let lines = |rows: usize| u16::try_from(rows).unwrap_or(u16::MAX);
        let Picture { shards, lists: Lists { topics, connections }, .. } = self.picture;
        let [topics, connections] =
            [topics.len(), connections.len()].map(|count| count.min(rows).max(1));
        let all = lines(shards.len() + topics + connections);
        all.saturating_add(3 * PART_LINES + 1)
    }

    /// As text, so many columns wide.
    pub(super) fn text(&self, columns: u16, rows: usize) -> String {
        let area = Rect::new(0, 0, columns, self.height(rows));
        let mut buffer = Buffer::empty(area);
        self.render(area, &mut buffer);
        let mut text = String::new();
        for cells in buffer.content().chunks(usize::from(columns)) {
            let line: String = cells.iter().map(ratatui::buffer::Cell::symbol).collect();
            text.extend([line.trim_end(), "\n"]);
        }
        format!("{}\n", text.trim_end())
    }
}

impl Widget for &View<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let picture = self.picture;
        // a machine with many cores leaves room for the others
        let most = usize::from(area.height / 3).max(1);
        let shards = u16::try_from(picture.shards.len().min(most)).unwrap_or(1);
        let [head, of_shards, of_topics, of_connections, keys] = Layout::vertical([
            Constraint::Length(2),
            Constraint::Length(shards + 2),
            Constraint::Fill(1),
            Constraint::Fill(1),
            Constraint::Length(u16::from(self.has_keys)),
        ])
        .areas(area);
        Paragraph::new(self.head()).wrap(Wrap { trim: true }).render(head, buffer);
        shards_table(picture, area.width).render(of_shards, buffer);
        part(
            buffer,
            of_topics,
            format!("TOPICS BY {}", self.sort.word().to_uppercase()),
            picture.lists.topics.is_empty().then_some("none"),
            topics_table(&picture.lists.topics, area.width),
        );
        part(
            buffer,
            of_connections,
            "SLOWEST CONSUMERS".to_owned(),
            picture.lists.connections.is_empty().then_some("nobody is behind"),
            connections_table(&picture.lists.connections, area.width),
        );
        if self.has_keys {
            Line::from(KEYS).dim().render(keys, buffer);
        }
    }
}

impl View<'_> {
    /// Whom we look at, and the sums; or why we see nothing. A narrow terminal needs the second
    /// line, which is empty elsewhere.
    fn head(&self) -> Line<'_> {
        if let Some(trouble) = self.trouble {
            return Line::from(visible(trouble)).red();
        }
        let picture = self.picture;
        let connections = picture.shards.iter().map(|shard| shard.line.connections).sum();
        let (held, max) = picture.memory;
        let of = if max < u64::from(u32::MAX) << 16 {
            format!(" of {}", size(max))
        } else {
            String::new()
        };
        Line::from(format!(
            "mercury top, {}: {} connections, queues hold {}{of}",
            self.url,
            grouped(connections),
            size(held),
        ))
        .bold()
    }
}

/// A title, and below it a table or a word.
fn part(buffer: &mut Buffer, area: Rect, title: String, word: Option<&str>, table: Table<'_>) {
    let [head, body] =
        Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(below(area));
    Line::from(title).bold().render(head, buffer);
    match word {
        Some(word) => Line::from(word).dim().render(body, buffer),
        None => table.render(body, buffer),
    }
}

/// What is left of a place behind an empty line.
fn below(area: Rect) -> Rect {
    let [_, rest] = Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(area);
    rest
}

fn shards_table(picture: &Picture, columns: u16) -> Table<'_> {
    let rate = |rate: Option<u64>| rate.map_or_else(|| "-".to_owned(), grouped);
    let rows = picture.shards.iter().map(|shard| {
        let line = &shard.line;
        let lag = format!("{:.1} ms", line.lag_seconds * 1000.0);
        numbers([
            line.shard.to_string(),
            grouped(line.connections),
            rate(shard.messages),
            rate(shard.batches),
            lag,
            size(line.memory_bytes),
        ])
    });
    let narrow = [5, 11, 10, 12, 9, 8].map(Constraint::Length);
    let wide = [5, 13, 13, 15, 11, 11].map(Constraint::Length);
    let widths = if columns < WIDE_COLUMNS { narrow } else { wide };
    let heads = ["SHARD", "CONNECTIONS", "MESSAGES/S", "BATCHES/S", "LAG", "MEMORY"];
    table(rows, numbers(heads.map(str::to_owned)), widths)
}

fn topics_table(topics: &[TopicLine], columns: u16) -> Table<'_> {
    let count = |topic: &TopicLine, roles: &[Role]| -> String {
        let members = topic.members.iter().filter(|(role, _)| roles.contains(role));
        grouped(members.map(|(_, count)| *count as u64).sum())
    };
    let rows = topics.iter().map(|topic| {
        let receivers = count(topic, &[Role::Peer, Role::Subscriber, Role::Puller]);
        let senders = count(topic, &[Role::Publisher, Role::Pusher]);
        named(
            [visible(&topic.topic), topic.pattern.word().to_owned()],
            [format!("{:.1}", topic.rate), receivers, senders, size(topic.backlog_bytes as u64)],
        )
    });
    let heads = ["TOPIC", "PATTERN"].map(str::to_owned);
    let counts = ["MESSAGES/S", "RECEIVERS", "SENDERS", "BACKLOG"].map(str::to_owned);
    let lengths = if columns < WIDE_COLUMNS { [8, 10, 9, 0, 8] } else { [9, 12, 10, 9, 10] };
    table(rows, named(heads, counts), widths(lengths))
}

fn connections_table(connections: &[ConnectionLine], columns: u16) -> Table<'_> {
    let rows = connections.iter().map(|connection| {
        let topic = connection.topic.as_deref().map_or_else(|| "-".to_owned(), visible);
        let behind = size(connection.behind_bytes as u64);
        let seconds = format!("{:.1} s", connection.behind_seconds);
        named(
            [topic, visible(&connection.id)],
            [connection.role.word().to_owned(), behind, seconds, visible(&connection.address)],
        )
    });
    let heads = ["TOPIC", "ID"].map(str::to_owned);
    let counts = ["ROLE", "BEHIND", "FOR", "ADDRESS"].map(str::to_owned);
    let lengths = if columns < WIDE_COLUMNS { [8, 10, 9, 9, 0] } else { [9, 11, 9, 9, 22] };
    table(rows, named(heads, counts), widths(lengths))
}

/// The name takes what the others leave; nothing is no column at all.
fn widths(lengths: [u16; 5]) -> Vec<Constraint> {
    let lengths = lengths.into_iter().map(Constraint::Length);
    std::iter::once(Constraint::Fill(1)).chain(lengths).collect()
}

fn table<'a>(
    rows: impl Iterator<Item = Row<'a>>,
    heads: Row<'a>,
    widths: impl IntoIterator<Item = Constraint>,
) -> Table<'a> {
    Table::new(rows, widths.into_iter().collect::<Vec<_>>())
        .header(heads.style(Style::new().dim()))
        .column_spacing(1)
}

/// Numbers stand at the right.
fn numbers<const N: usize>(texts: [String; N]) -> Row<'static> {
    Row::new(texts.map(right))
}

/// Words stand at the left.
fn named<const N: usize>(words: [String; 2], numbers: [String; N]) -> Row<'static> {
    let words = words.into_iter().map(Cell::from);
    Row::new(words.chain(numbers.map(right)).collect::<Vec<_>>())
}

fn right(text: String) -> Cell<'static> {
    Cell::from(Line::from(text).right_aligned())
}

fn grouped(number: u64) -> String {
    Grouped(usize::try_from(number).unwrap_or(usize::MAX)).to_string()
}

fn size(bytes: u64) -> String {
    Size(usize::try_from(bytes).unwrap_or(usize::MAX)).rounded()
}

/// What clients chose cannot move the cursor, nor turn the direction of what follows.
fn visible(text: &str) -> String {
    text.escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::super::reading::Shard;
    use super::*;
    use crate::broker::Pattern;
    use crate::handover::ShardLine;

    fn picture() -> Picture {
        let shard = |shard| Shard {
            line: ShardLine {
                shard,
                connections: 12_345,
                topics: 7,
                messages: 0,
                batches: 0,
                memory_bytes: 3 << 20,
                lag_seconds: 0.0042,
            },
            messages: Some(1_234_567),
            batches: None,
        };
        let topic = TopicLine {
            topic: format!("wong\n\u{1b}[31m{}", "/amy".repeat(50)),
            pattern: Pattern::PubSub,
            shard: 0,
            members: BTreeMap::from([(Role::Subscriber, 1234), (Role::Publisher, 5)]),
            rate: 120.5,
            backlog_messages: 0,
            backlog_bytes: 0,
        };
        let connection = ConnectionLine {
            id: "1-4d2".to_owned(),
            address: "192.0.2.7:57928".to_owned(),
            role: Role::Subscriber,
            topic: Some("a\u{202e}b".to_owned()),
            open_seconds: 81.5,
            behind_bytes: 524_288,
            behind_seconds: 3.2,
        };
        Picture {
            shards: vec![shard(0), shard(1)],
            memory: (6 << 20, 12 << 30),
            lists: Lists { topics: vec![topic], connections: vec![connection] },
        }
    }

    fn view<'a>(picture: &'a Picture, trouble: Option<&'a str>) -> View<'a> {
        View {
            url: "http://127.0.0.1:3001",
            picture,
            sort: TopicSort::Rate,
            trouble,
            has_keys: true,
        }
    }

    /// What a terminal of this size shows.
    fn screen(view: &View<'_>, columns: u16, lines: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(columns, lines)).unwrap();
        terminal.draw(|frame| frame.render_widget(view, frame.area())).unwrap();
        terminal.backend().to_string()
    }

    #[test]
    fn everything_fits_a_small_terminal_and_a_narrow_one() {
        let picture = picture();
        for (columns, lines) in [(80, 24), (60, 24), (200, 50)] {
            let screen = screen(&view(&picture, None), columns, lines);
            for part in [
                "mercury top, http://127.0.0.1:3001: 24,690 connections",
                "1,234,567",
                "4.2 ms",
                "3MiB",
                "TOPICS BY RATE",
                "wong\\n\\u{1b}[31m",
                "pubsub",
                "120.5",
                "1,234",
                "SLOWEST CONSUMERS",
                "a\\u{202e}b",
                "1-4d2",
                "512KiB",
                "3.2 s",
                KEYS,
            ] {
                assert!(screen.contains(part), "{part} at {columns}x{lines}:\n{screen}");
            }
        }
        let screen = screen(&view(&picture, None), 80, 24);
        assert!(screen.contains("192.0.2.7:57928"), "{screen}");
    }

    #[test]
    fn no_size_breaks_it() {
        let mut picture = picture();
        for shards in [0, 1, 64] {
            picture.shards.truncate(1);
            let line = picture.shards.first().map(|shard| shard.line.clone());
            picture.shards = (0..shards)
                .map(|_| Shard { line: line.clone().unwrap(), messages: None, batches: None })
                .collect();
            for (columns, lines) in [(1, 1), (10, 3), (60, 5), (80, 10), (3, 100)] {
                screen(&view(&picture, None), columns, lines);
                screen(&view(&Picture::default(), None), columns, lines);
            }
            if shards == 0 {
                picture = self::picture();
            }
        }
    }

    #[test]
    fn trouble_is_said_in_front_of_what_was_seen_last() {
        let picture = picture();
        let screen = screen(&view(&picture, Some("reconnecting: nobody\nlistens")), 80, 24);
        assert!(screen.contains("reconnecting: nobody\\nlistens"), "{screen}");
        assert!(screen.contains("1-4d2"), "{screen}");
    }

    #[test]
    fn what_is_long_is_said_on_two_lines() {
        let reason = format!("reconnecting: {} (is that it?)", "word ".repeat(20));
        let picture = picture();
        assert!(screen(&view(&picture, Some(&reason)), 80, 24).contains("(is that it?)"));
        let sums = screen(&view(&picture, None), 60, 24);
        assert!(sums.contains("of 12GiB"), "{sums}");
    }

    #[test]
    fn a_frame_is_text_without_blanks_at_its_ends() {
        let mut picture = picture();
        picture.lists.connections.clear();
        let text = View { has_keys: false, ..view(&picture, None) }.text(80, 10);
        assert!(text.lines().all(|line| line == line.trim_end()), "{text}");
        assert!(text.ends_with("nobody is behind\n"), "{text}");
        assert!(!text.contains(KEYS) && !text.contains('\u{1b}'), "{text}");
    }
}
