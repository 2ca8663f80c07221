//! The runtime under stress: wake-ups, cancellation, back-pressure, buffer shortage.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::pin::pin;
use std::rc::Rc;
use std::sync::mpsc;
use std::task::Poll;
use std::time::{Duration, Instant};

use super::*;

/// How the ring receives: as this kernel lets it, or as one before Linux 6.17 does.
#[derive(Clone, Copy)]
enum Receives {
    AsProbed,
    OneBuffer,
}

/// Makes one test of each function for each way to receive.
macro_rules! for_each_way_to_receive {
    ($($name:ident),* $(,)?) => {
        mod as_probed {
            $(#[test] fn $name() { super::$name(super::Receives::AsProbed) })*
        }
        mod one_buffer {
            $(#[test] fn $name() { super::$name(super::Receives::OneBuffer) })*
        }
    };
}

for_each_way_to_receive!(
    bytes_arrive_whole_however_they_are_received,
    exact_receives_end_with_the_stream,
    a_receive_that_is_given_up_loses_nothing,
    a_peer_that_is_not_read_is_stopped_and_not_buffered,
    a_stream_dropped_under_a_flood_is_closed,
    more_sockets_than_buffers_are_all_served,
    descriptors_that_are_reused_at_once_do_not_mix_streams,
    the_end_of_a_stream_and_a_half_close_are_seen,
);

/// Runs `main` on a shard of its own and returns what it returns; fails when it takes longer than a minute.
fn on_shard<R, F, T>(main: F) -> R
where
    R: Send + 'static,
    F: FnOnce(Ring) -> T + Send + 'static,
    T: Future<Output = R> + 'static,
{
    on_shard_that(Receives::AsProbed, main)
}

fn on_shard_that<R, F, T>(receives: Receives, main: F) -> R
where
    R: Send + 'static,
    F: FnOnce(Ring) -> T + Send + 'static,
    T: Future<Output = R> + 'static,
{
    let (sender, receiver) = mpsc::channel();
    let shard = launch("test", Placement::Unbound, move |ring| {
        if let Receives::OneBuffer = receives {
            ring.inner().bounds_multishot = false;
        }
        let main = main(ring);
        async move { sender.send(main.await).unwrap() }
    })
    .unwrap();
    let result = receiver.recv_timeout(Duration::from_secs(60)).expect("the shard's task ended");
    shard.join().unwrap();
    result
}

fn pair() -> (OwnedFd, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    (ours.into(), theirs)
}

/// Bytes that no shift or swap leaves alike.
fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

async fn read_exactly(stream: &Stream, length: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < length {
        assert_ne!(stream.receive(&mut bytes).await.unwrap(), 0, "ended after {} bytes", bytes.len());
    }
    bytes
}

#[test]
fn tasks_that_wake_each_other_do_not_wait_for_the_kernel() {
    let began = Instant::now();
    on_shard(|ring| async move {
        let (ping, pong) = (Rc::new(Notify::new(&ring)), Rc::new(Notify::new(&ring)));
        let (theirs, ours) = (Rc::clone(&ping), Rc::clone(&pong));
        spawn(async move {
            for round in 0..10_000 {
                theirs.after(round).await;
                ours.notify();
            }
        });
        for round in 0..10_000 {
            ping.notify();
            pong.after(round).await;
        }
    });
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

/// Each of many is polled when it comes and when it is its turn, not whenever another one is served or gives up, and who
/// needs many places is not overtaken.
#[test]
fn places_are_given_in_order_and_wake_one() {
    const TASKS: usize = 1000;
    let count_of = |number: usize| if number % 7 == 3 { 10 } else { 1 + number % 2 };
    let (served, polls) = on_shard(move |ring| async move {
        let (places, done) = (Rc::new(Places::new(&ring, 10)), Rc::new(Notify::new(&ring)));
        let (leave, most) = (Rc::new(Notify::new(&ring)), Rc::new(Cell::new(0)));
        let (served, polls) = (Rc::new(RefCell::new(Vec::new())), Rc::new(Cell::new(0)));
        let used = Rc::new(Cell::new(0));
        // More than there are is all of them.
        let all = poll_fn(|cx| places.queue_up(11).poll_take(cx)).await;
        assert!(!places.are_short());
        for number in 0..TASKS {
            let (places, done, leave) = (Rc::clone(&places), Rc::clone(&done), Rc::clone(&leave));
            let (served, polls, used, most) =
                (Rc::clone(&served), Rc::clone(&polls), Rc::clone(&used), Rc::clone(&most));
            spawn(async move {
                let waiting = places.queue_up(count_of(number));
                if number % 5 == 0 {
                    assert!(poll_fn(|cx| Poll::Ready(waiting.poll_take(cx).is_pending())).await);
                    leave.after(0).await;
                } else {
                    let taken = poll_fn(|cx| {
                        polls.set(polls.get() + 1);
                        waiting.poll_take(cx)
                    })
                    .await;
                    served.borrow_mut().push(number);
                    used.set(used.get() + count_of(number));
                    most.set(most.get().max(used.get()));
                    // Held beyond this turn.
                    leave.notify();
                    leave.after(leave.count()).await;
                    used.set(used.get() - count_of(number));
                    drop(taken);
                }
                drop(waiting);
                done.notify();
                leave.notify();
            });
        }
        assert!(places.are_short());
        leave.notify();
        while done.count() < (TASKS / 5) as u64 {
            done.after(done.count()).await;
        }
        assert!(places.are_short() && served.borrow().is_empty());
        drop(all);
        while done.count() < TASKS as u64 {
            leave.notify();
            done.after(done.count()).await;
        }
        assert!(!places.are_short());
        assert_eq!((used.get(), most.get()), (0, 10));
        (served.take(), polls.get())
    });
    assert_eq!(served, (0..TASKS).filter(|number| number % 5 != 0).collect::<Vec<_>>());
    // When it comes, when it is first, and once more when it needs more than is free then.
    assert!(polls <= 4 * served.len(), "{polls}");
}

#[test]
fn places_that_are_not_needed_any_more_serve_the_next() {
    on_shard(|ring| async move {
        let places = Places::new(&ring, 10);
        let mut first = poll_fn(|cx| places.queue_up(8).poll_take(cx)).await;
        let waiting = places.queue_up(5);
        let is_pending =
            async |waiting: &Waiting<'_>| poll_fn(|cx| Poll::Ready(waiting.poll_take(cx).is_pending())).await;
        assert!(is_pending(&waiting).await && places.are_short());
        first.resize(6);
        assert!(is_pending(&waiting).await && places.are_short());
        first.resize(30);
        first.resize(5);
        assert!(!places.are_short() && !is_pending(&waiting).await);
        // A debt has to be paid first.
        first.resize(12);
        let small = places.queue_up(1);
        assert!(is_pending(&small).await && places.are_short());
        first.resize(10);
        assert!(is_pending(&small).await);
        drop(first);
        let _one = poll_fn(|cx| small.poll_take(cx)).await;
        let _rest = poll_fn(|cx| places.queue_up(9).poll_take(cx)).await;
    });
}

fn bytes_arrive_whole_however_they_are_received(receives: Receives) {
    let (ours, mut theirs) = pair();
    let sent = noise(5 << 20, 1);
    let expected = sent.clone();
    let writer = std::thread::spawn(move || {
        for piece in sent.chunks(100_003) {
            theirs.write_all(piece).unwrap();
        }
    });
    let total = expected.len();
    let received = on_shard_that(receives, move |ring| async move {
        let stream = Stream::new(&ring, ours);
        let (mut bytes, mut round) = (Vec::new(), 0);
        loop {
            // Switching back and forth must neither lose nor reorder a byte.
            round += 1;
            let before = bytes.len();
            if round % 3 == 2 && before < total {
                let count = (round * 7919 % 300_000).min(total - before);
                let (outcome, back) = stream.receive_exactly(bytes, count).await;
                outcome.unwrap();
                assert_eq!(back.len(), before + count);
                bytes = back;
                if count == 0 {
                    continue;
                }
            } else if round % 7 < 4 {
                let bulk = poll_fn(|cx| stream.poll_receive_bulk(cx)).await.unwrap();
                bytes.extend_from_slice(bulk.payload());
            } else {
                stream.receive(&mut bytes).await.unwrap();
            }
            if bytes.len() == before {
                return bytes;
            }
        }
    });
    writer.join().unwrap();
    assert_eq!(received.len(), expected.len());
    assert!(received == expected);
}

/// What came before the end is there; who gives up half-way does not get what follows for what was asked.
fn exact_receives_end_with_the_stream(receives: Receives) {
    let (ours, mut theirs) = pair();
    let (given_up, mut sender) = pair();
    theirs.write_all(b"first").unwrap();
    sender.write_all(b"first").unwrap();
    on_shard_that(receives, move |ring| async move {
        let stream = Stream::new(&ring, ours);
        poll_fn(|cx| stream.poll_readable(cx)).await;
        let (outcome, bytes) = stream.receive_exactly(b"0".to_vec(), 3).await;
        outcome.unwrap();
        assert_eq!(bytes, b"0fir");
        assert!(stream.is_readable());
        theirs.write_all(&[b'x'; 100_000]).unwrap();
        drop(theirs);
        let (outcome, bytes) = stream.receive_exactly(Vec::new(), 200_000).await;
        assert_eq!(outcome.unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
        assert_eq!((bytes.len(), &bytes[..4]), (100_002, &b"stxx"[..]));
        assert!(stream.is_readable() && stream.is_closed());
        let (outcome, bytes) = stream.receive_exactly(Vec::new(), 1).await;
        assert_eq!((outcome.unwrap_err().kind(), bytes.len()), (std::io::ErrorKind::UnexpectedEof, 0));

        let stream = Stream::new(&ring, given_up);
        assert_eq!(read_exactly(&stream, 5).await, b"first");
        assert!(!stream.is_readable());
        {
            let mut receiving = pin!(stream.receive_exactly(Vec::new(), 10));
            // Once for the receive that is armed, once for that of its own.
            poll_fn(|cx| {
                assert!(receiving.as_mut().poll(cx).is_pending());
                if ring.inner().socket(stream.key()).bulk.is_some() { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
            sender.write_all(b"lost").unwrap();
        }
        assert!(stream.receive(&mut Vec::new()).await.is_err());

        // So is what it had taken before it could start one.
        let (ours, mut theirs) = pair();
        let stream = Stream::new(&ring, ours);
        theirs.write_all(b"first").unwrap();
        poll_fn(|cx| stream.poll_readable(cx)).await;
        poll_fn(|cx| {
            assert!(pin!(stream.receive_exactly(Vec::new(), 10)).poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        theirs.write_all(b"second").unwrap();
        assert!(stream.receive(&mut Vec::new()).await.is_err());
    });
}

fn a_receive_that_is_given_up_loses_nothing(receives: Receives) {
    let (ours, mut theirs) = pair();
    let sent = noise(300_000, 2);
    let expected = sent.clone();
    let writer = std::thread::spawn(move || {
        for piece in sent.chunks(977) {
            theirs.write_all(piece).unwrap();
        }
    });
    let received = on_shard_that(receives, move |ring| async move {
        let stream = Stream::new(&ring, ours);
        let mut bytes = Vec::new();
        let mut round = 0_u32;
        loop {
            round += 1;
            // Poll each kind once and drop the future, whatever it says.
            if round.is_multiple_of(3) {
                let polled = poll_fn(|cx| Poll::Ready(stream.poll_receive_bulk(cx))).await;
                if let Poll::Ready(bulk) = polled {
                    bytes.extend_from_slice(bulk.unwrap().payload());
                }
            }
            if round.is_multiple_of(2) && bytes.len() + 5000 < 300_000 {
                let (outcome, back) = stream.receive_exactly(bytes, 5000).await;
                outcome.unwrap();
                bytes = back;
                continue;
            }
            poll_fn(|cx| stream.poll_readable(cx)).await;
            if stream.receive(&mut bytes).await.unwrap() == 0 {
                return bytes;
            }
        }
    });
    writer.join().unwrap();
    assert!(received == expected);
}

fn a_peer_that_is_not_read_is_stopped_and_not_buffered(receives: Receives) {
    let (ours, mut theirs) = pair();
    let sent = noise(8 << 20, 3);
    let expected = sent.clone();
    let (progress, written) = mpsc::channel();
    let writer = std::thread::spawn(move || {
        theirs.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
        let mut at = 0;
        while at < sent.len() {
            match theirs.write(&sent[at..]) {
                Ok(count) => at += count,
                Err(_) => progress.send(at).unwrap(),
            }
        }
        let _ = progress.send(at);
    });
    let (received, stalled_at) = on_shard_that(receives, move |ring| async move {
        let stream = Stream::new(&ring, ours);
        let deadline = Deadline::new(&ring);
        deadline.set(Duration::from_millis(900));
        poll_fn(|cx| {
            assert!(stream.poll_closed(cx).is_pending());
            if deadline.is_reached(cx.waker()) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        let stalled_at = written.try_recv().expect("the writer was stopped");
        (read_exactly(&stream, 8 << 20).await, stalled_at)
    });
    writer.join().unwrap();
    assert!(stalled_at < 2 << 20, "the writer got {stalled_at} bytes in");
    assert!(received == expected);
}

fn a_stream_dropped_under_a_flood_is_closed(receives: Receives) {
    for round in 0..50 {
        let (ours, mut theirs) = pair();
        let (ended, end) = mpsc::channel();
        std::thread::spawn(move || {
            while theirs.write_all(&[1; 10_000]).is_ok() {}
            let _ = ended.send(());
        });
        on_shard_that(receives, move |ring| async move {
            let stream = Stream::new(&ring, ours);
            let mut bytes = Vec::new();
            for _ in 0..round {
                stream.receive(&mut bytes).await.unwrap();
            }
            drop(stream);
            // The shard lives on until the peer was told: nothing but the close of the stream tells it.
            let deadline = Deadline::new(&ring);
            while end.try_recv().is_err() {
                deadline.set(Duration::from_millis(1));
                deadline.reached().await;
            }
        });
    }
}

fn more_sockets_than_buffers_are_all_served(receives: Receives) {
    const SOCKETS: usize = 1200;
    let _ = rustix::process::setrlimit(
        rustix::process::Resource::Nofile,
        rustix::process::Rlimit {
            current: Some(8192),
            ..rustix::process::getrlimit(rustix::process::Resource::Nofile)
        },
    );
    let (ours, theirs): (Vec<_>, Vec<_>) = (0..SOCKETS).map(|_| pair()).unzip();
    for (number, peer) in theirs.iter().enumerate() {
        (&*peer).write_all(&noise(20_000, number as u64)).unwrap();
    }
    let received = on_shard_that(receives, move |ring| async move {
        let streams: Vec<_> = ours.into_iter().map(|fd| Stream::new(&ring, fd)).collect();
        let done = Rc::new(Notify::new(&ring));
        let all = Rc::new(Cell::new(0));
        for (number, stream) in streams.into_iter().enumerate() {
            let (done, all) = (Rc::clone(&done), Rc::clone(&all));
            spawn(async move {
                if read_exactly(&stream, 20_000).await == noise(20_000, number as u64) {
                    all.set(all.get() + 1);
                }
                done.notify();
            });
        }
        while done.count() < SOCKETS as u64 {
            done.after(done.count()).await;
        }
        all.get()
    });
    assert_eq!(received, SOCKETS);
}

#[test]
fn a_send_that_is_dropped_keeps_its_buffer_and_frees_the_socket() {
    for is_gathered in [false, true] {
        let (ours, mut theirs) = pair();
        on_shard(move |ring| async move {
            let stream = Stream::new(&ring, ours);
            {
                let bytes = vec![7; 32 << 20];
                let mut sending = pin!(async {
                    if is_gathered {
                        let mut insets = Insets::default();
                        (0..Insets::MAX).for_each(|at| assert!(insets.push(at, at << 10..(at + 1) << 10)));
                        let _ = stream.send_gathered(Box::new(Gathered::new(bytes.clone(), bytes, &insets))).await;
                    } else {
                        let _ = stream.send(bytes).await;
                    }
                });
                poll_fn(|cx| {
                    assert!(sending.as_mut().poll(cx).is_pending());
                    Poll::Ready(())
                })
                .await;
            }
            drop(stream);
            let deadline = Deadline::new(&ring);
            deadline.set(Duration::from_millis(100));
            deadline.reached().await;
            assert_eq!(ring.open_sockets(), 0);
        });
        let mut rest = Vec::new();
        theirs.read_to_end(&mut rest).unwrap();
        assert!(rest.len() < 32 << 20 && rest.iter().all(|&byte| byte == 7));
    }
}

/// Also when it is more than a socket takes at once.
#[test]
fn two_buffers_go_out_as_one() {
    for (joined_bytes, apart_bytes, inset_bytes) in
        [(3 << 20, 3 << 20, 8 << 10), (10, 1 << 20, 1 << 20), (100, 100, 1), (5, 0, 1), (0, 7, 1)]
    {
        let joined: Vec<u8> = (0..joined_bytes).map(|at| (at % 251) as u8).collect();
        let apart: Vec<u8> = (0..apart_bytes).map(|at| (at % 241) as u8).collect();
        let (mut insets, mut expected) = (Insets::default(), joined.clone());
        for start in (0..apart_bytes).step_by(inset_bytes).rev() {
            let at = start * joined_bytes / apart_bytes;
            expected.splice(at..at, apart[start..apart_bytes.min(start + inset_bytes)].iter().copied());
        }
        for start in (0..apart_bytes).step_by(inset_bytes) {
            let at = start * joined_bytes / apart_bytes;
            assert!(insets.push(at, start..apart_bytes.min(start + inset_bytes)));
        }
        let (ours, mut theirs) = pair();
        let peer = std::thread::spawn(move || {
            let mut all = Vec::new();
            theirs.read_to_end(&mut all).unwrap();
            all
        });
        on_shard(move |ring| async move {
            let stream = Stream::new(&ring, ours);
            let gathered = Gathered::new(joined.clone(), apart.clone(), &insets);
            assert_eq!((gathered.len(), gathered.len() == 0), (joined_bytes + apart_bytes, false));
            let (outcome, back) = stream.send_gathered(Box::new(gathered)).await;
            outcome.unwrap();
            assert_eq!(back, (joined, apart));
        });
        assert!(peer.join().unwrap() == expected, "{joined_bytes} and {apart_bytes} bytes");
    }
}

/// The kernel takes so many slices at once and no more.
#[test]
fn the_most_insets_are_sent() {
    let (ours, mut theirs) = pair();
    let mut insets = Insets::default();
    let count = (0..2000).take_while(|&at| insets.push(at, at..at + 1)).count();
    assert!((500..1000).contains(&count), "{count}");
    on_shard(move |ring| async move {
        let stream = Stream::new(&ring, ours);
        let gathered = Gathered::new(vec![b'j'; 1000], vec![b'a'; 1000], &insets);
        stream.send_gathered(Box::new(gathered)).await.0.unwrap();
    });
    let mut all = String::new();
    theirs.read_to_string(&mut all).unwrap();
    assert_eq!(all, "aj".repeat(count) + &"j".repeat(1000 - count));
}

fn descriptors_that_are_reused_at_once_do_not_mix_streams(receives: Receives) {
    on_shard_that(receives, |ring| async move {
        for round in 0..2000_u32 {
            let (ours, mut theirs) = pair();
            let stream = Stream::new(&ring, ours);
            theirs.write_all(&round.to_le_bytes()).unwrap();
            if round % 3 == 0 {
                continue;
            }
            assert_eq!(read_exactly(&stream, 4).await, round.to_le_bytes());
            let (outcome, back) = stream.send(round.to_be_bytes().to_vec()).await;
            outcome.unwrap();
            assert_eq!(back, round.to_be_bytes());
            let mut echo = [0; 4];
            theirs.read_exact(&mut echo).unwrap();
            assert_eq!(echo, round.to_be_bytes());
        }
    });
}

fn the_end_of_a_stream_and_a_half_close_are_seen(receives: Receives) {
    let (ours, mut theirs) = pair();
    let peer = std::thread::spawn(move || {
        let mut all = Vec::new();
        theirs.read_to_end(&mut all).unwrap();
        theirs.write_all(b"late").unwrap();
        all
    });
    on_shard_that(receives, move |ring| async move {
        let stream = Stream::new(&ring, ours);
        stream.send(b"early".to_vec()).await.0.unwrap();
        stream.close_write();
        let mut bytes = Vec::new();
        while stream.receive(&mut bytes).await.unwrap() > 0 {}
        assert_eq!(bytes, b"late");
        assert!(stream.is_closed() && stream.is_hung_up());
        assert_eq!(stream.receive(&mut bytes).await.unwrap(), 0);
        assert!(stream.send(b"x".to_vec()).await.0.is_err());
    });
    assert_eq!(peer.join().unwrap(), b"early");
}

/// The end of a silent send is found when somebody looks; a failure, and an end that is waited for after all, wake.
#[test]
fn a_silent_send_wakes_for_failure_or_when_asked_to() {
    const LENGTH: usize = 8 << 20;
    let (ours, mut theirs) = pair();
    let (closed, gone) = pair();
    drop(gone);
    let (start, started) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        started.recv().unwrap();
        theirs.read_exact(&mut vec![0; LENGTH]).unwrap();
        theirs
    });
    on_shard(move |ring| async move {
        let failing = Stream::new(&ring, closed);
        assert!(failing.send_silently(b"x".to_vec()).await.0.is_err());

        let stream = Stream::new(&ring, ours);
        let (polls, deadline) = (Cell::new(0), Deadline::new(&ring));
        let mut sending = stream.send_silently(vec![7; 100]);
        deadline.set(Duration::from_millis(100));
        poll_fn(|cx| {
            polls.set(polls.get() + 1);
            assert!(polls.get() > 1 || std::pin::Pin::new(&mut sending).poll(cx).is_pending());
            if deadline.is_reached(cx.waker()) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        assert_eq!(polls.get(), 2, "woken by more than the deadline");
        sending.await.0.unwrap();

        let mut sending = stream.send_silently(vec![7; LENGTH - 100]);
        let is_pending = poll_fn(|cx| Poll::Ready(std::pin::Pin::new(&mut sending).poll(cx).is_pending())).await;
        assert!(is_pending);
        sending.be_heard();
        start.send(()).unwrap();
        sending.await.0.unwrap();
    });
    reader.join().unwrap();
}

#[test]
fn deadlines_are_reached_once_set_and_not_when_cleared() {
    on_shard(|ring| async move {
        let deadline = Deadline::new(&ring);
        let began = Instant::now();
        deadline.set(Duration::from_secs(3600));
        deadline.set(Duration::from_millis(150));
        deadline.reached().await;
        let took = began.elapsed();
        assert!(took >= Duration::from_millis(140) && took < Duration::from_secs(5), "{took:?}");

        let (cleared, other) = (Deadline::new(&ring), Deadline::new(&ring));
        cleared.set(Duration::from_millis(50));
        cleared.clear();
        other.set(Duration::from_millis(200));
        poll_fn(|cx| {
            assert!(!cleared.is_reached(cx.waker()));
            if other.is_reached(cx.waker()) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        // Moved on again and again, it is reached at the last time only.
        for _ in 0..5 {
            deadline.set(Duration::from_millis(120));
            other.set(Duration::from_millis(40));
            other.reached().await;
        }
        let began = Instant::now();
        deadline.reached().await;
        assert!(began.elapsed() >= Duration::from_millis(20));
    });
}

#[test]
fn messages_from_threads_arrive() {
    let (sender, mailbox) = mailbox(10_000).unwrap();
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let sender = sender.clone();
            std::thread::spawn(move || (0..1000).for_each(|number| sender.send(thread * 1000 + number).unwrap()))
        })
        .collect();
    let mut received = on_shard(move |ring| async move {
        let inbox = mailbox.attach(&ring);
        let mut all: Vec<i32> = Vec::new();
        while all.len() < 4000 {
            all.push(inbox.next().await);
        }
        all
    });
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    received.sort_unstable();
    assert_eq!(received, (0..4000).collect::<Vec<_>>());
}

#[test]
fn a_panic_ends_its_task_only() {
    let (ours, mut theirs) = pair();
    on_shard(move |ring| async move {
        let stream = Stream::new(&ring, ours);
        spawn(async move {
            let mut bytes = Vec::new();
            stream.receive(&mut bytes).await.unwrap();
            panic!("deliberate");
        });
        theirs.write_all(b"x").unwrap();
        let mut end = [0; 1];
        let deadline = Deadline::new(&ring);
        deadline.set(Duration::from_millis(100));
        deadline.reached().await;
        // The task's stream went with it.
        assert_eq!(theirs.read(&mut end).unwrap(), 0);
    });
}

#[test]
fn connections_are_accepted_and_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let listener = UnixListener::bind(&path).unwrap();
    on_shard(move |ring| async move {
        let acceptor = Acceptor::new(&ring, listener.into());
        let mut pairs = Vec::new();
        for number in 0..100_u8 {
            let client = connect(&ring, &path).await.unwrap();
            let server = poll_fn(|cx| acceptor.poll_accept(cx)).await.unwrap();
            client.send(vec![number]).await.0.unwrap();
            pairs.push((client, Stream::new(&ring, server)));
        }
        for (number, (_, server)) in pairs.iter().enumerate() {
            assert_eq!(read_exactly(server, 1).await, [number as u8]);
        }
        assert!(connect(&ring, &path.with_extension("missing")).await.is_err());
        assert!(connect(&ring, std::path::Path::new(&"x".repeat(200))).await.is_err());
    });
}

#[test]
fn failing_all_ends_what_waits() {
    let (ours, theirs) = pair();
    on_shard(move |ring| async move {
        let stream = Rc::new(Stream::new(&ring, ours));
        let ended = Rc::new(Notify::new(&ring));
        let (reader, told) = (Rc::clone(&stream), Rc::clone(&ended));
        spawn(async move {
            assert!(reader.receive(&mut Vec::new()).await.is_err());
            told.notify();
        });
        let (writer, told) = (Rc::clone(&stream), Rc::clone(&ended));
        spawn(async move {
            assert!(writer.send(vec![0; 64 << 20]).await.0.is_err());
            told.notify();
        });
        ring.fail_all();
        while ended.count() < 2 {
            ended.after(ended.count()).await;
        }
    });
    drop(theirs);
}

#[test]
fn spooled_bytes_come_back_from_any_place() {
    let sent = noise(1 << 20, 9);
    let expected = sent.clone();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    let (read, shared) = on_shard(move |ring| async move {
        let mut spool = Spool::new(&ring, &path).unwrap();
        spool.append_bytes(&sent[..100_001]).await.unwrap();
        spool.append_bytes(&sent[100_001..]).await.unwrap();
        assert_eq!(spool.len(), 1 << 20);
        assert_eq!(std::fs::read_dir(&path).unwrap().count(), 0, "the file has a name");
        let mut read = Vec::new();
        while (read.len() as u64) < spool.len() {
            read.extend_from_slice(spool.read(read.len() as u64).await.unwrap().payload());
        }
        assert!(spool.read(1 << 20).await.unwrap().payload().is_empty());
        let mut shared = Vec::new();
        spool.share().unwrap().read_to_end(&mut shared).unwrap();
        (read, shared)
    });
    assert!(read == expected && shared == expected);
    let missing = folder.path().join("missing");
    on_shard(move |ring| async move { assert!(Spool::new(&ring, &missing).is_err()) });
}

#[test]
fn jobs_are_done_elsewhere_and_lost_ones_are_told() {
    on_shard(|ring| async move {
        let offload = Offload::new(&ring, Workers::start(2).unwrap()).unwrap();
        let here = std::thread::current().id();
        let jobs: Vec<_> =
            (0..100).map(|number| offload.begin(move || (number, std::thread::current().id()))).collect();
        for (number, job) in jobs.iter().enumerate() {
            let (result, thread) = poll_fn(|cx| job.poll_result(cx)).await.unwrap();
            assert_eq!(result, number);
            assert_ne!(thread, here);
        }
        let lost = offload.begin(|| panic!("deliberate"));
        assert!(poll_fn(|cx| lost.poll_result(cx)).await.is_none());
        // The thread that panicked still works.
        let jobs: Vec<_> = (0..4).map(|number| offload.begin(move || number)).collect();
        for (number, job) in jobs.iter().enumerate() {
            assert_eq!(poll_fn(|cx| job.poll_result(cx)).await, Some(number));
        }
    });
}
