//! The shards: started together, told to drain together.

use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use crate::limits;
use crate::listen::{Arrival, Listening, Router, accept};
use crate::observe::Observer;
use crate::proxy::{self, Facts, Published};
use crate::rt::{self, Acceptor, Deadline, Inbox, Mailbox, Offload, Placement, Ring, Sender, ShardError, Workers};

/// Messages that may wait for one shard.
const MAILBOX_CAPACITY: usize = 4096;
/// How long connections get to notice that the drain is over.
const FAREWELL: Duration = Duration::from_secs(1);

/// What a shard is told.
pub(super) enum Message {
    /// Serve this connection.
    Serve(Arrival),
    /// Stop accepting, finish what is in flight, end.
    Drain,
}

impl From<Arrival> for Message {
    fn from(arrival: Arrival) -> Message {
        Message::Serve(arrival)
    }
}

/// What a shard tells.
pub(super) enum Event {
    /// It serves.
    Ready,
    /// It ended: in order, or because of this.
    Ended(Result<(), ShardError>),
}

/// What every shard gets to know.
#[derive(Clone)]
pub(super) struct Common {
    pub(super) facts: Arc<Facts>,
    pub(super) published: Published,
    pub(super) observer: Arc<Observer>,
    pub(super) workers: Workers,
}

/// The running shards.
pub(super) struct Shards {
    senders: Vec<Sender<Message>>,
    count: usize,
}

impl Shards {
    /// Starts one shard for each entry of `cpus`; events come through `report`.
    ///
    /// # Errors
    /// An executor could not be made.
    pub(super) fn start(
        cpus: &[Option<usize>],
        listening: Listening,
        common: &Common,
        report: &flume::Sender<Event>,
    ) -> Result<Shards, ShardError> {
        let mut senders = Vec::new();
        let mut mailboxes = Vec::new();
        for _ in cpus {
            let (sender, mailbox) = rt::mailbox(MAILBOX_CAPACITY)?;
            senders.push(sender);
            mailboxes.push(mailbox);
        }
        let router = Arc::new(Router::new(senders.clone()));
        let mut listeners: Vec<_> = match listening {
            Listening::Each(sockets) => sockets.into_iter().map(Some).collect(),
            Listening::One(socket) => vec![Some(socket)],
        };
        listeners.resize_with(cpus.len(), || None);
        let starts = cpus.iter().zip(mailboxes).zip(listeners).enumerate();
        for (index, ((cpu, mailbox), listener)) in starts {
            let placement = cpu.map_or(Placement::Unbound, Placement::Cpu);
            let (common, router, ready) = (common.clone(), Arc::clone(&router), report.clone());
            let shard = rt::launch(&format!("shard-{index}"), placement, move |ring| {
                let acceptor = listener.map(|socket| Acceptor::new(&ring, socket));
                run(ring, index, common, router, acceptor, mailbox, ready)
            })?;
            let report = report.clone();
            // Joining blocks, so every shard has a thread that waits for its end.
            std::thread::Builder::new().name(format!("watch-{index}")).stack_size(64 << 10).spawn(move || {
                let _ = report.send(Event::Ended(shard.join()));
            })?;
        }
        Ok(Shards { senders, count: cpus.len() })
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Tells all of them to finish.
    pub(super) fn drain(&self) {
        for sender in &self.senders {
            // A full mailbox belongs to a shard that is drowning; the final deadline ends it.
            let _ = sender.send(Message::Drain);
        }
    }
}

/// A shard's main task.
async fn run(
    ring: Ring,
    index: usize,
    common: Common,
    router: Arc<Router<Message>>,
    acceptor: Option<Acceptor>,
    mailbox: Mailbox<Message>,
    ready: flume::Sender<Event>,
) {
    let inbox = mailbox.attach(&ring);
    let offload = match Offload::new(&ring, common.workers) {
        Ok(offload) => offload,
        Err(error) => {
            tracing::error!(%error, "shard cannot be set up");
            return;
        }
    };
    let shard = Rc::new(proxy::Shard::new(&ring, common.facts, common.published, common.observer, offload));
    let recorder = Rc::downgrade(&shard);
    ring.set_before_wait(move || {
        if let Some(shard) = recorder.upgrade() {
            shard.flush_records();
        }
    });
    let _ = ready.send(Event::Ready);
    {
        let keep = |message| serve(&shard, message);
        let accepting = async {
            match &acceptor {
                Some(acceptor) => accept(&ring, index, acceptor, &router, keep, || shard.shed_idle()).await,
                None => std::future::pending().await,
            }
        };
        futures_lite::future::or(accepting, until_drain(&shard, &inbox)).await;
    }
    drop(acceptor);
    drain(&ring, &shard).await;
    shard.close_records();
}

fn serve(shard: &Rc<proxy::Shard>, message: Message) {
    if let Message::Serve(arrival) = message
        && let Some((socket, peer, counted)) = arrival.take()
    {
        let (shard, stream) = (Rc::clone(shard), rt::Stream::new(shard.ring(), socket));
        rt::spawn(async move {
            proxy::serve(shard, stream, peer).await;
            drop(counted);
        });
    }
}

/// Serves what comes by mail and keeps house, until the word to drain comes.
async fn until_drain(shard: &Rc<proxy::Shard>, inbox: &Inbox<Message>) {
    poll_fn(|cx| {
        while shard.poll_housekeeping(cx).is_ready() {}
        loop {
            match inbox.poll_next(cx) {
                Poll::Ready(Message::Drain) => return Poll::Ready(()),
                Poll::Ready(message @ Message::Serve(_)) => serve(shard, message),
                Poll::Pending => return Poll::Pending,
            }
        }
    })
    .await;
}

/// Lets requests in flight finish, then ends what is left: tunnels, and whoever overstayed (spec 60 §8).
async fn drain(ring: &Ring, shard: &Rc<proxy::Shard>) {
    ring.drain();
    let deadline = Deadline::new(ring);
    deadline.set(limits::DRAIN_BUDGET);
    let finished = async {
        shard.quiet().await;
        true
    };
    let late = async {
        deadline.reached().await;
        false
    };
    if !futures_lite::future::or(finished, late).await {
        tracing::error!(error = "requests still in flight at the end of the drain", "shutdown error");
    }
    shard.engine().close_idle();
    ring.fail_all();
    let farewell = ring.now() + FAREWELL;
    while shard.connections() > 0 && ring.now() < farewell {
        deadline.set(Duration::from_millis(20));
        deadline.reached().await;
    }
}
