//! Subscribers behind bad networks.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::footprint::{PLACES_FLAGS, comes_back, has_all_places};
use super::innocents::{Innocents, LEAST, number};
use super::namespace::{Cable, Network};
use super::receivers::names_slow_consumer;
use super::root::is_root;
use crate::process::Process;
use crate::server::PATIENCE;
use crate::socket::{Socket, TEXT};

/// A publisher and a subscriber over the good cable.
async fn innocents(network: &Network, process: &Process) -> Innocents {
    let subscriber = network.join(process.port(), Cable::Others, "/sub/news").await;
    let publisher = network.join(process.port(), Cable::Others, "/pub/news").await;
    Innocents::of(publisher, subscriber)
}

/// They exchange messages, and nothing goes wrong.
async fn calm(network: &Network, process: &Process) {
    innocents(network, process).await.exchange(LEAST).await;
}

/// Over the other one.
async fn victim(network: &Network, process: &Process, topic: &str) -> Socket {
    network.join(process.port(), Cable::Victim, &format!("/sub/{topic}")).await
}

/// A broker with these flags, and as many places as are counted.
async fn start(network: &Network, flags: &[&str]) -> Process {
    network.start(&[flags, &PLACES_FLAGS].concat()).await
}

/// Everything that the clients had is to be had again.
async fn is_empty(network: &Network, process: &Process) {
    has_all_places(async || network.open(process.port(), Cable::Others).await).await;
}

#[tokio::test]
async fn a_subscriber_at_1_mbit_a_second_is_closed_and_the_others_go_on() {
    if !is_root(a_subscriber_at_1_mbit_a_second_is_closed_and_the_others_go_on) {
        return;
    }
    let network = Network::new();
    network.slow_down();
    let mut process = start(&network, &["--max-outbound", "512KiB"]).await;
    let calm = async |process: &mut Process| calm(&network, process).await;
    comes_back(&mut process, calm, async |process| {
        let mut innocents = innocents(&network, process).await;
        let mut victim = victim(&network, process, "news").await;
        let address = victim.address();
        let hearing = async {
            let mut heard = 0;
            while let Some((op_code, payload)) = victim.frame().await {
                if op_code != TEXT {
                    break;
                }
                assert_eq!(number(std::str::from_utf8(&payload).unwrap()), heard);
                heard += 1;
            }
            heard
        };
        // what it gets is in order up to its end
        let heard = innocents.exchange_during(hearing).await;
        assert!((1..innocents.exchanged).contains(&heard), "{heard} messages");
        names_slow_consumer(process, "news", address).await;
    })
    .await;
    is_empty(&network, &process).await;
}

#[tokio::test]
async fn five_percent_of_loss_lose_nothing() {
    if !is_root(five_percent_of_loss_lose_nothing) {
        return;
    }
    let network = Network::new();
    network.lose();
    let mut process = start(&network, &["--max-outbound", "16MiB"]).await;
    let calm = async |process: &mut Process| calm(&network, process).await;
    comes_back(&mut process, calm, async |process| {
        let mut innocents = innocents(&network, process).await;
        let mut subscriber = victim(&network, process, "news").await;
        let path = "/pub/victim";
        let mut publisher = network.join(process.port(), Cable::Victim, path).await;
        let mut echo = victim(&network, process, "victim").await;
        let hearing = async {
            for expected in 0..LEAST {
                assert_eq!(number(&subscriber.text().await), expected);
            }
        };
        let talking = async {
            for number in 0..20 {
                let text = number.to_string();
                publisher.send(TEXT, text.as_bytes()).await.unwrap();
                assert_eq!(echo.text().await, text);
            }
        };
        tokio::join!(innocents.exchange(LEAST), hearing, talking);
    })
    .await;
    is_empty(&network, &process).await;
    assert!(network.broker_sent_again() > 0);
    // nothing was logged
    assert_eq!(process.stop().await.lines.len(), 2);
}

#[tokio::test]
async fn a_cut_cable_is_noticed_and_the_others_go_on() {
    if !is_root(a_cut_cable_is_noticed_and_the_others_go_on) {
        return;
    }
    let network = Network::new();
    let flags = ["--ping-interval", "1s", "--pong-timeout", "4s", "--write-timeout", "1s"];
    let mut process = start(&network, &flags).await;
    let calm = async |process: &mut Process| calm(&network, process).await;
    comes_back(&mut process, calm, async |process| {
        let mut innocents = innocents(&network, process).await;
        let alone = process.descriptors();
        let busy = victim(&network, process, "news").await;
        let quiet = victim(&network, process, "quiet").await;
        let address = busy.address();
        network.cut();
        // one is noticed by what it does not take, the other by a ping that it does not answer
        let gone = async {
            while process.descriptors() > alone {
                sleep(Duration::from_millis(5)).await;
            }
        };
        let gone = innocents.exchange_during(timeout(PATIENCE, gone)).await;
        gone.expect("both are gone in time");
        network.mend();
        drop((busy, quiet));
        names_slow_consumer(process, "news", address).await;
    })
    .await;
    is_empty(&network, &process).await;
}
