//! Stopping a command and making sure of it. Closing its channel stops nothing, and OpenSSH refuses signals for root:
//! so its process group is signalled from a second channel, and then looked for.

use std::time::Duration;

use gabier_host::{Stopped, Target};
use tokio::time::{Instant, timeout};

use crate::pool::Pool;
use crate::transport::{Connection, ask};

/// The longest all of it takes: two seconds for TERM, two for KILL, and the way there.
const LIMIT: Duration = Duration::from_secs(12);

/// Reads the process from `p` and what the server is from `d`. It counts the living members of the group by `/proc`,
/// since a killed process that nobody reaped answers `kill -0` for ever; without `/proc` that has to do. Dropbear makes
/// a session for each connection and not for each command: the group is then that of the connection, which carries
/// this command alone. (`kill -TERM -- -1` is an error in dash; this form works everywhere.)
const SCRIPT: &str = r#"
field() { read -r l 2>/dev/null <"$1" && set -- ${l##*) } && c=$1 && r=$3; }
member() {
  for s in /proc/[0-9]*/stat; do
    field "$s" || continue
    if [ "$r" = "$g" ] && [ "$c" != Z ] && [ "$c" != X ]; then return 0; fi
  done
  return 1
}
alive() { if [ -r /proc/self/stat ]; then member; else kill -0 "-$g" 2>/dev/null; fi; }
nap() { sleep 0.1 2>/dev/null || sleep 1; }
await() { n=0; while alive; do n=$((n+1)); [ "$n" -gt 20 ] && return 1; nap; done; return 0; }
g=$p
if [ "$d" = 1 ]; then
  field "/proc/$p/stat" || { echo left; exit; }
  g=$r
fi
kill -TERM "-$g" 2>/dev/null
kill -CONT "-$g" 2>/dev/null
await || { kill -KILL "-$g" 2>/dev/null; await; }
if alive; then echo left; else echo gone; fi
"#;

/// Stops a process group: TERM, two seconds, KILL, then a look.
pub(super) async fn stop(pool: &Pool, target: &Target, beside: &Connection, pid: Option<u32>) -> Stopped {
    let Some(pid) = pid else { return Stopped::Unverified };
    match timeout(LIMIT, stop_group(pool, target, beside, pid)).await {
        Ok(stopped) => stopped,
        Err(_) => Stopped::Unverified,
    }
}

async fn stop_group(pool: &Pool, target: &Target, beside: &Connection, pid: u32) -> Stopped {
    let script = format!("p={pid} d={}\n{SCRIPT}", u8::from(beside.is_dropbear()));
    // The pool's places are for commands; this one must not wait for any of them to end.
    if !beside.is_dropbear()
        && beside.is_alive()
        && let Ok(channel) = beside.open().await
        && let Some(answer) = ask(channel, "exec sh -s", &script, LIMIT).await
    {
        return read(&answer);
    }
    let deadline = Instant::now() + LIMIT;
    let Ok(connection) = pool.dedicated(target, deadline).await else { return Stopped::Unreachable };
    let Ok(channel) = connection.open().await else { return Stopped::Unreachable };
    let answer = ask(channel, "exec sh -s", &script, LIMIT).await;
    connection.close().await;
    answer.map_or(Stopped::Unverified, |answer| read(&answer))
}

fn read(answer: &[u8]) -> Stopped {
    let text = String::from_utf8_lossy(answer);
    if text.lines().last() == Some("gone") { Stopped::Verified } else { Stopped::Unverified }
}
