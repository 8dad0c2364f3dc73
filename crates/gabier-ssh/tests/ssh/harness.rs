//! The harness itself.

use crate::sshd::{Sshd, dropbear};

#[test]
fn sshd_and_dropbear_answer() {
    assert_ne!(Sshd::new().start().port, dropbear(&[]).port);
}

#[test]
fn an_sshd_with_accounts_answers() {
    let server = Sshd::new().with_account("alice", "correct horse").start();
    assert_ne!(server.port, 0);
}
