//! Loopback ports that lead into the cluster's network namespace.

use std::fs::File;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;

use nix::sched::{CloneFlags, setns};

/// Accepts for ever, for an address inside; each connection is carried by
/// threads of its own.
pub(super) fn forward(listener: TcpListener, namespaces_of: u32, to: SocketAddr) {
    for outer in listener.incoming().flatten() {
        thread::spawn(move || {
            if let Ok(inner) = connect(namespaces_of, to) {
                carry(outer, inner);
            }
        });
    }
}

/// Connects from inside: a socket keeps the namespace of the thread that made
/// it, and only this thread enters.
fn connect(namespaces_of: u32, to: SocketAddr) -> io::Result<TcpStream> {
    let namespace = File::open(format!("/proc/{namespaces_of}/ns/net"))?;
    setns(namespace, CloneFlags::CLONE_NEWNET)?;
    TcpStream::connect(to)
}

fn carry(outer: TcpStream, inner: TcpStream) {
    for side in [&outer, &inner] {
        // Small messages go as they come.
        let _ = side.set_nodelay(true);
    }
    let (Ok(mut from_outer), Ok(mut from_inner)) = (outer.try_clone(), inner.try_clone()) else { return };
    let (mut to_outer, mut to_inner) = (outer, inner);
    let out = thread::spawn(move || {
        let _ = io::copy(&mut from_inner, &mut to_outer);
        let _ = to_outer.shutdown(Shutdown::Write);
    });
    let _ = io::copy(&mut from_outer, &mut to_inner);
    let _ = to_inner.shutdown(Shutdown::Write);
    let _ = out.join();
}
