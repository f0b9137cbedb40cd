//! Whether an XML document is complete, which the SDK's reader does not check.

/// Whether this is an XML document that was cut: an element is not closed where it should
/// be, even the last one. What is no XML never counts as cut, and neither does HTML, as a
/// proxy's error page leaves elements open.
pub fn is_cut(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body);
    let text = text.trim_start_matches('\u{feff}').trim();
    text.starts_with('<') && !is_html(text) && !is_whole(text)
}

fn is_html(text: &str) -> bool {
    let text = match text.split_once("?>") {
        Some((_, document)) if text.starts_with("<?") => document.trim_start(),
        _ => text,
    };
    let starts_with = |start: &str| {
        text.get(..start.len())
            .is_some_and(|found| found.eq_ignore_ascii_case(start))
    };
    starts_with("<html") || starts_with("<!doctype html")
}

/// Whether each element is closed, and nothing follows the root.
fn is_whole(text: &str) -> bool {
    let mut open: Vec<&str> = Vec::new();
    let mut roots = 0;
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        let (between, tag) = rest.split_at(start);
        if open.is_empty() && !between.trim().is_empty() {
            return false;
        }
        // These have an end of their own, and may contain a '>'.
        let end = match tag {
            _ if tag.starts_with("<!--") => "-->",
            _ if tag.starts_with("<![CDATA[") => "]]>",
            _ if tag.starts_with("<?") => "?>",
            _ => ">",
        };
        // Most ends are one character, which is found much faster than a text.
        let length = if end.len() == 1 {
            tag.find('>')
        } else {
            tag.find(end)
        };
        let Some(length) = length else {
            return false;
        };
        let (tag, after) = tag.split_at(length + end.len());
        rest = after;
        if tag.starts_with("<!") || tag.starts_with("<?") {
            continue;
        }
        if let Some(name) = tag.strip_prefix("</") {
            let name = name[..name.len() - 1].trim_ascii_end();
            if !open.pop().is_some_and(|tag| is_named(tag, name)) {
                return false;
            }
            continue;
        }
        roots += usize::from(open.is_empty());
        if !tag.ends_with("/>") {
            open.push(tag);
        }
    }
    open.is_empty() && roots == 1 && rest.trim().is_empty()
}

/// Whether this is the name of a start tag.
fn is_named(tag: &str, name: &str) -> bool {
    let after = tag[1..].strip_prefix(name);
    after.is_some_and(|after| after.starts_with(|c: char| c == '>' || c.is_ascii_whitespace()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<R xmlns=\"http://ec2.amazonaws.com/doc/\"><set><item><id>i-1</id><empty/></item><item><id>i-2 &gt; 1</id></item></set><none />\n</R >";

    #[test]
    fn a_document_that_ends_before_its_root_does_is_cut() {
        let whole = ANSWER.len();
        assert!(!is_cut(ANSWER.as_bytes()));
        assert!(!is_cut(format!("\u{feff}{ANSWER}\n").as_bytes()));
        for length in 1..whole {
            assert!(is_cut(&ANSWER.as_bytes()[..length]), "{length} bytes");
        }
    }

    #[test]
    fn a_document_with_a_hole_in_it_is_cut() {
        for (from, to) in [
            ("</item><item>", "<item>"),
            ("<id>i-2", "i-2"),
            ("</set>", ""),
        ] {
            assert!(is_cut(ANSWER.replace(from, to).as_bytes()), "{from}");
        }
        for (document, cut) in [
            ("<a></a><b></b>", true),
            ("<a></a>text", true),
            ("<a><![CDATA[<b>]]><!-- <c> --></a>", false),
            ("<a/>", false),
        ] {
            assert_eq!(is_cut(document.as_bytes()), cut, "{document}");
        }
    }

    #[test]
    fn what_is_no_xml_is_not_judged() {
        for body in [
            "",
            "{\"a\": \"<b>\"",
            "Service Unavailable",
            "<html><body><br>",
            "<?xml version=\"1.0\"?><!DOCTYPE HTML PUBLIC \"x\"><p>",
        ] {
            assert!(!is_cut(body.as_bytes()), "{body}");
        }
    }
}
