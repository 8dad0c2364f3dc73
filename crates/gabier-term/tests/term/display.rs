//! What results look like.

use gabier_term::{Answer, Format, Globals};
use gabier_tool::{Block, Cell, Column, Field, Tone, View};
use serde_json::json;

use crate::fixture::terminal;

fn view() -> View {
    let table = Block::Table {
        title: Some("Ports".to_owned()),
        columns: vec![
            Column { label: "port".to_owned(), right: true },
            Column { label: "state".to_owned(), right: false },
        ],
        rows: vec![
            vec!["22".into(), Cell::toned("open", Tone::Good)],
            vec!["8080".into(), Cell::toned("a | <b>", Tone::Plain)],
        ],
    };
    let fields = Block::Fields {
        fields: vec![
            Field { label: "host".to_owned(), value: "web1".into() },
            Field { label: "ip".to_owned(), value: "10.0.0.7".into() },
        ],
    };
    View {
        blocks: vec![
            Block::Heading { text: "Scan".to_owned() },
            fields,
            table,
            Block::Panel {
                title: "Load".to_owned(),
                tone: Tone::Warn,
                body: vec![Block::Text { text: "high".to_owned() }],
            },
            Block::Meter { label: "disk".to_owned(), value: 42.5, max: 100.0, unit: "%".to_owned() },
            Block::Spark { label: "load".to_owned(), points: vec![0.0, 1.0, 7.0] },
            Block::Tree {
                label: "root".to_owned(),
                children: vec![
                    Block::Tree {
                        label: "a".to_owned(),
                        children: vec![Block::Text { text: "x".to_owned() }],
                    },
                    Block::Tree { label: "b".to_owned(), children: Vec::new() },
                ],
            },
        ],
    }
}

fn shown(format: Format) -> String {
    let (terminal, captured) = terminal("", &[]);
    let answer = Answer::of(json!({"rows": [{"port": 22}, {"port": 80}]}), view());
    assert_eq!(terminal.show(&answer, &Globals { format, ..Globals::default() }), 0);
    captured.out()
}

#[test]
fn a_pipe_gets_plain_columns() {
    let expected = "\
Scan
host  web1
ip    10.0.0.7

Ports
PORT  STATE
  22  ✓ open
8080  a | <b>

! Load
  high

disk █████████░░░░░░░░░░░ 42.5% of 100%
load ▁▂█ 7
root
├─ a
│  └─ x
└─ b
";
    assert_eq!(shown(Format::Table), expected);
}

#[test]
fn json_is_one_line_in_a_pipe_and_rows_are_lines() {
    assert_eq!(
        shown(Format::Json),
        "{\"status\":\"ok\",\"data\":{\"rows\":[{\"port\":22},{\"port\":80}]}}\n"
    );
    assert_eq!(shown(Format::Ndjson), "{\"port\":22}\n{\"port\":80}\n");
    assert!(shown(Format::View).contains("\"exit_code\":0"));
}

#[test]
fn markdown_and_html_escape_what_they_show() {
    let markdown = shown(Format::Markdown);
    assert!(markdown.contains("| ---: | --- |\n| 22 | open |\n| 8080 | a \\| \\<b\\> |"), "{markdown}");
    let html = shown(Format::Html);
    assert!(
        html.contains("<td>a | &lt;b&gt;</td>") && html.contains("<section class=\"panel warn\">"),
        "{html}"
    );
}

#[test]
fn html_in_markdown_is_text() {
    let (terminal, captured) = terminal("", &[]);
    let text = "# Hi\n\n<script>x</script>\n\n**b** <i>i</i> ![p](http://x/y) [l](javascript:x)".to_owned();
    let answer = Answer::of(json!({}), View::block(Block::Markdown { text }));
    terminal.show(&answer, &Globals { format: Format::Html, ..Globals::default() });
    let html = captured.out();
    assert!(!html.contains("<script>") && html.contains("<strong>b</strong>"), "{html}");
    assert!(!html.contains("javascript:") && !html.contains("<i>") && !html.contains("<img"), "{html}");
    terminal.show(&answer, &Globals::default());
    assert!(captured.out().starts_with("Hi\n"));
}

#[test]
fn colour_and_width_follow_flags_then_variables() {
    let color = |variables: &[(&str, &str)], globals: &Globals| terminal("", variables).0.look(globals).color;
    let always = Globals { color: gabier_term::Color::Always, ..Globals::default() };
    assert!(!color(&[], &Globals::default()), "a pipe is not coloured");
    assert!(color(&[("CLICOLOR_FORCE", "1")], &Globals::default()));
    assert!(!color(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], &Globals::default()));
    assert!(color(&[("NO_COLOR", "1")], &always));
    let width = |variables: &[(&str, &str)], width| {
        terminal("", variables).0.look(&Globals { width, ..Globals::default() }).width
    };
    assert_eq!(width(&[("COLUMNS", "77")], None), Some(77));
    assert_eq!(width(&[("COLUMNS", "77")], Some(50)), Some(50));
    assert_eq!(width(&[], None), None);
}

#[test]
fn a_warning_stands_on_stderr_beside_the_result() {
    let (terminal, captured) = terminal("", &[]);
    let mut answer = Answer::of(json!({"a": 1}), View::default());
    answer.envelope["message"] = "something to know".into();
    answer.exit_code = 3;
    assert_eq!(terminal.show(&answer, &Globals::default()), 3);
    assert_eq!(
        (captured.out().as_str(), captured.err().as_str()),
        ("a  1\n", "warning: something to know\n")
    );
}
