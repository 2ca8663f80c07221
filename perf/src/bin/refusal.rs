//! What refusing costs at least: one raw ring that answers every receive with the same 403, and looks at nothing.
//!
//! `refusal PORT` — the yardstick of the `deny` scenario. Every proxy that refuses a request has to receive it and to send
//! an answer; this does only that.

use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::{cqueue, opcode, squeue, types, IoUring};

const GROUP: u16 = 3;
const BUFFERS: u16 = 512;
const BUFFER_BYTES: usize = 4096;
const KIND: u64 = 1 << 32;
const ANSWER: &[u8] = b"HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\nX-Content-Type-Options: nosniff\r\n\
    Date: Wed, 25 Nov 2026 03:15:19 GMT\r\nContent-Length: 49\r\nX-Request-Id: 0123456789abcdef0123456789abcdef\r\n\
    Traceparent: 00-0123456789abcdef0123456789abcdef-0123456789abcdef-00\r\n\r\n\
    {\"message\":\"request denied by sockguard policy\"}\n";

fn main() -> std::io::Result<()> {
    let port = std::env::args().nth(1).and_then(|port| port.parse().ok()).expect("usage: refusal PORT");
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    let mut ring: IoUring<squeue::Entry, cqueue::Entry> =
        IoUring::builder().setup_single_issuer().setup_defer_taskrun().setup_coop_taskrun().setup_cqsize(4096).build(1024)?;
    let bytes = usize::from(BUFFERS) * std::mem::size_of::<types::BufRingEntry>();
    // SAFETY: a fresh anonymous mapping, checked below, never unmapped.
    let entries = unsafe {
        libc::mmap(std::ptr::null_mut(), bytes, libc::PROT_READ | libc::PROT_WRITE, libc::MAP_ANONYMOUS | libc::MAP_PRIVATE, -1, 0)
    };
    assert_ne!(entries, libc::MAP_FAILED);
    // SAFETY: the mapping is page aligned and holds BUFFERS entries.
    unsafe { ring.submitter().register_buf_ring_with_flags(entries as u64, BUFFERS, GROUP, 0)? };
    let entries: *mut types::BufRingEntry = entries.cast();
    let mut memory = vec![0; usize::from(BUFFERS) * BUFFER_BYTES];
    let mut tail = 0_u16;
    let mut give = |id: u16| {
        // SAFETY: indices are masked, the memory lives to the end.
        unsafe {
            let entry = &mut *entries.add(usize::from(tail & (BUFFERS - 1)));
            entry.set_addr(memory.as_mut_ptr().add(usize::from(id) * BUFFER_BYTES) as u64);
            entry.set_len(BUFFER_BYTES as u32);
            entry.set_bid(id);
            tail = tail.wrapping_add(1);
            (*(types::BufRingEntry::tail(entries) as *const AtomicU16)).store(tail, Ordering::Release);
        }
    };
    (0..BUFFERS).for_each(&mut give);
    let receive = |fd: i32| opcode::RecvMulti::new(types::Fd(fd), GROUP).build().user_data(KIND | fd as u64);
    let mut pending = vec![opcode::AcceptMulti::new(types::Fd(listener.as_raw_fd())).build().user_data(0)];
    let mut done = vec![];
    loop {
        for entry in pending.drain(..) {
            // SAFETY: the answer is static, the buffers live to the end.
            unsafe { ring.submission().push(&entry).expect("submission queue has room") };
        }
        ring.submit_and_wait(1)?;
        done.clear();
        done.extend(ring.completion().map(|one| (one.user_data(), one.result(), one.flags())));
        for &(data, result, flags) in &done {
            let fd = (data & 0xffff_ffff) as i32;
            match data / KIND {
                0 => pending.push(receive(result)),
                1 if result > 0 => {
                    give(cqueue::buffer_select(flags).expect("a provided buffer"));
                    pending.push(opcode::Send::new(types::Fd(fd), ANSWER.as_ptr(), ANSWER.len() as u32).build().user_data(2 * KIND));
                    if !cqueue::more(flags) {
                        pending.push(receive(fd));
                    }
                }
                // SAFETY: the peer is gone, nothing else refers to the descriptor.
                1 => drop(unsafe { libc::close(fd) }),
                _ => {}
            }
        }
    }
}
