//! The stored output of tasks, by lines.

use gabier_store::Result;
use gabier_store::queue::{OutputRange, Queue, Stream, TaskId};

/// How many bytes are read at once.
const CHUNK: usize = 256 * 1024;

/// The whole lines of a stream from a byte on, as text, and where the rest begins. At most one chunk.
pub(crate) async fn whole_lines_from(
    queue: &dyn Queue,
    id: &TaskId,
    stream: Stream,
    from: u64,
) -> Result<(Vec<String>, u64)> {
    let part = queue.output(id, stream, OutputRange { from, length: CHUNK }).await?;
    let whole = match part.bytes.iter().rposition(|byte| *byte == b'\n') {
        Some(end) => end + 1,
        // A line that fills a whole chunk is given in pieces.
        None if part.bytes.len() == CHUNK => CHUNK,
        None => return Ok((Vec::new(), from)),
    };
    let text = String::from_utf8_lossy(&part.bytes[..whole]);
    Ok((text.lines().map(str::to_owned).collect(), part.from + whole as u64))
}
