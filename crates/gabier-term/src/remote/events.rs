//! Server-sent events, as they arrive.

/// An event.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// Its name; `message` when it has none.
    pub(crate) name: String,
    /// Its data, lines joined.
    pub(crate) data: String,
}

/// Cuts a stream of bytes into events, wherever the bytes are cut.
#[derive(Default)]
pub(crate) struct Events {
    bytes: Vec<u8>,
    name: String,
    data: Vec<String>,
}

impl Events {
    /// Takes more bytes and gives the events they complete.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Vec<Event> {
        self.bytes.extend_from_slice(bytes);
        let mut events = Vec::new();
        while let Some(end) = self.bytes.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.bytes.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            events.extend(self.line(line.trim_end_matches(['\n', '\r'])));
        }
        events
    }

    /// How many bytes wait for their line to end.
    pub(crate) fn waiting(&self) -> usize {
        self.bytes.len() + self.data.iter().map(String::len).sum::<usize>()
    }

    fn line(&mut self, line: &str) -> Option<Event> {
        if line.is_empty() {
            let name = std::mem::take(&mut self.name);
            let data = std::mem::take(&mut self.data);
            let name = if name.is_empty() { "message".to_owned() } else { name };
            return (!data.is_empty()).then(|| Event { name, data: data.join("\n") });
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.name),
            "data" => self.data.push(value.to_owned()),
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str =
        ": hello\r\n\r\nevent: progress\ndata: {\"done\":1}\nid: 7\n\ndata: a\r\ndata:b\n\ndata: cut";

    #[test]
    fn events_are_the_same_wherever_the_bytes_are_cut() {
        let expected = [("progress", "{\"done\":1}"), ("message", "a\nb")];
        for size in 1..STREAM.len() {
            let mut events = Events::default();
            let found: Vec<Event> =
                STREAM.as_bytes().chunks(size).flat_map(|chunk| events.push(chunk)).collect();
            let found: Vec<(&str, &str)> =
                found.iter().map(|event| (event.name.as_str(), event.data.as_str())).collect();
            assert_eq!(found, expected, "in chunks of {size}");
        }
    }
}
