//! The codes of closed connections.

use super::{Entry, Tally};

codes! {
    /// Why a connection is closed, or ends without a Close: those of 1006 are never sent.
    CloseCode,
    /// What is known of them, in the order of `docs/protocol.md`.
    CLOSES;

    GoingAway = "going-away" 1001 {
        means: "the broker stops",
        cause: "its operator stops or restarts it",
        cure: "connect again",
        flag: "drain-timeout",
    }
    Inactive = "inactive" 1001 {
        means: "nothing went either way for `--inactivity-timeout`",
        cause: "a client that has nothing to say, and pings that are switched off or rarer",
        cure: "connect again, or send a ping now and then",
        flag: "inactivity-timeout",
        counter: inactive,
    }
    TlsKeysSpent = "tls-keys-spent" 1001 {
        means: "a key of TLS 1.2 was used as often as it may be, and cannot be changed",
        cause: "about sixteen million writes on one connection",
        cure: "connect again, or speak TLS 1.3",
        counter: tls_keys_spent,
    }
    FrameNotMasked = "frame-not-masked" 1002 {
        means: "a frame of the client's is not masked",
        cause: "a WebSocket library that was used as a server's",
        cure: "mask every frame",
        counter: protocol_errors,
    }
    ReservedBits = "reserved-bits" 1002 {
        means: "a frame has reserved bits",
        cause: "a client that compresses, although no extension was agreed on",
        cure: "switch compression off",
        counter: protocol_errors,
    }
    ReservedOpCode = "reserved-op-code" 1002 {
        means: "a frame has an op code that means nothing",
        cause: "bytes that are no frames, or that stand where none begins",
        cure: "look for what else writes to the socket",
        counter: protocol_errors,
    }
    ControlFrame = "control-frame" 1002 {
        means: "a ping, pong or Close has more than 125 bytes or comes in fragments",
        cause: "data in pings, or a long reason in a Close",
        cure: "send data as messages",
        counter: protocol_errors,
    }
    FrameLength = "frame-length" 1002 {
        means: "the length of a frame is not in its shortest form, or has its top bit set",
        cause: "a WebSocket client that somebody wrote by hand",
        cure: "write lengths as RFC 6455 5.2 says",
        counter: protocol_errors,
    }
    FragmentOrder = "fragment-order" 1002 {
        means: "a fragment without a beginning, or a message inside another one",
        cause: "two threads that send on one socket at once",
        cure: "send one message after the other",
        counter: protocol_errors,
    }
    CloseFrame = "close-frame" 1002 {
        means: "a Close of the client's has one byte, or a code that must not be sent",
        cause: "a library's own 1005 or 1006 was passed on",
        cure: "send 1000, 1001, or 3000 to 4999",
        counter: protocol_errors,
    }
    NotUtf8 = "not-utf8" 1007 {
        means: "a text message or the reason of a Close is not UTF-8",
        cause: "binary data, or text of another character set, sent as text",
        cure: "send it as binary, or as UTF-8",
        counter: text_not_utf8,
    }
    MessageUnfinished = "message-unfinished" 1008 {
        means: "a message did not end within 30 s",
        cause: "a fragmented or half-sent message got stuck",
        cure: "begin a message when all of it is there",
        counter: message_unfinished,
    }
    EmptyFragments = "empty-fragments" 1008 {
        means: "a message has more than 1,024 empty fragments",
        cause: "a client that flushes although nothing has come",
        cure: "fragments should carry something",
        counter: message_unfinished,
    }
    PongsUnread = "pongs-unread" 1008 {
        means: "more than 64 pongs wait for the client",
        cause: "it pings and does not read",
        cure: "read while pinging",
        counter: pongs_pending,
    }
    OperatorClosed = "operator-closed" 1008 {
        means: "an operator hung up on this connection",
        cause: "it was the slowest consumer, or did what it should not",
        cure: "ask the operator",
        counter: operator_closed,
    }
    MessageTooLong = "message-too-long" 1009 {
        means: "a message is over `--max-message`, all fragments together",
        cause: "a file or a picture is sent whole",
        cure: "send it in pieces, or send where it can be had",
        flag: "max-message",
        counter: message_too_long,
    }
    MessageNeverFits = "message-never-fits" 1009 {
        means: "a message with a copy for each level of its topic is over `--memory-max`",
        cause: "a large message on a topic of which many levels are heard",
        cure: "a smaller message, or fewer levels",
        flag: "memory-max",
        counter: message_too_long,
    }
    SlowConsumer = "slow-consumer" 1013 {
        means: "more than `--max-outbound` waits behind what is being written",
        cause: "the client reads more slowly than messages come: a bad link, or work in between",
        cure: "read faster, or listen to less",
        flag: "max-outbound",
        counter: slow_consumers,
    }
    WriteStalled = "write-stalled" 1013 {
        means: "the client took nothing for `--write-timeout`",
        cause: "it does not read, or cannot be reached any more",
        cure: "read while the socket is open",
        flag: "write-timeout",
        counter: write_stalls,
    }
    MemoryShed = "memory-shed" 1013 {
        means: "the broker is short of memory, and much waits for this client",
        cause: "many receivers are behind, and this one is among the farthest",
        cure: "read faster; the operator may raise `--memory-max`",
        flag: "memory-max",
        counter: memory_sheds,
    }
    MemoryCutShort = "memory-cut-short" 1013 {
        means: "the broker is short of memory in the middle of a message of the client's",
        cause: "many receivers are behind, or many large messages are under way",
        cure: "send it again later",
        flag: "memory-max",
        counter: memory_full,
    }
    MemoryNotTaken = "memory-not-taken" 1013 {
        means: "the broker is short of memory while messages of the client's wait for room",
        cause: "many publish more than their receivers take",
        cure: "send them again later",
        flag: "memory-max",
        counter: memory_full,
    }
    NoRoom = "no-room" 1013 {
        means: "what was sent before the client closed its sending side found no room for 5 s",
        cause: "the topic's receivers are behind, or its backlog is full",
        cure: "send it again later",
        counter: publisher_hangups,
    }
    PongTimeout = "pong-timeout" 1006 {
        means: "no answer to a ping within `--pong-timeout`; there is no Close",
        cause: "the client or the network is gone, or the client stands still",
        cure: "read while the socket is open: libraries answer by themselves then",
        flag: "pong-timeout",
        counter: pong_timeouts,
    }
    DrainCut = "drain-cut" 1006 {
        means: "still there at the end of `--drain-timeout`; there is no Close",
        cause: "it did not read what waited for it, or did not answer its Close",
        cure: "connect again, and answer a Close",
        flag: "drain-timeout",
        counter: drain_cut,
    }
}
