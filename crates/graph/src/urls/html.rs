//! URLs in HTML. This is no parser of the document: it finds tags, and reads all attributes and all text. Comments are
//! read like the rest, because Outlook shows what stands in its conditional comments.

use url::Url;

use super::entities::decoded;
use super::find::{scan, take_with_inner};
use super::{FoundUrls, MOST_TEXT, cut, parsed};

/// Attributes whose value is one URL.
const URL_ATTRIBUTES: [&str; 11] = [
    "href",
    "src",
    "action",
    "formaction",
    "background",
    "data",
    "poster",
    "cite",
    "longdesc",
    "xlink:href",
    "ping",
];

/// Returns the URLs in HTML: in attributes such as `href`, and in the text.
pub fn in_html(html: &str) -> FoundUrls {
    let (html, is_all) = cut(html, MOST_TEXT);
    let mut found = FoundUrls { complete: is_all, ..FoundUrls::default() };
    let mut base = None;
    let mut rest = html;
    while let Some((text, tag)) = rest.split_once('<') {
        scan(&decoded(text), &mut found);
        rest = if tag.starts_with(|c: char| c.is_ascii_alphabetic()) {
            read_tag(tag, &mut base, &mut found)
        } else {
            // The end of an element, a comment, or a sign in the text.
            tag
        };
    }
    scan(&decoded(rest), &mut found);
    found
}

/// Reads the attributes of a tag, and returns what follows it.
fn read_tag<'a>(tag: &'a str, base: &mut Option<Url>, found: &mut FoundUrls) -> &'a str {
    let is_space = |c: char| c.is_ascii_whitespace() || c == '/';
    let name_end = tag.find(|c: char| is_space(c) || c == '>').unwrap_or(tag.len());
    let (element, mut rest) = tag.split_at(name_end);
    loop {
        rest = rest.trim_start_matches(is_space);
        let Some(first) = rest.chars().next() else { return rest };
        if first == '>' {
            return &rest[1..];
        }
        // A name may begin with an equals sign (HTML Standard, "before attribute name state").
        let name_end = rest
            .char_indices()
            .skip(1)
            .find(|(_, c)| is_space(*c) || matches!(c, '=' | '>'))
            .map_or(rest.len(), |(at, _)| at);
        let (name, after) = rest.split_at(name_end);
        let Some(value) = after.trim_start().strip_prefix('=') else {
            rest = after;
            continue;
        };
        let value = value.trim_start();
        let (value, after) = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => {
                let value = &value[1..];
                value.split_once(quote).unwrap_or((value, ""))
            }
            _ => value
                .split_at(value.find(|c: char| c.is_ascii_whitespace() || c == '>').unwrap_or(value.len())),
        };
        read_attribute(element, name, &decoded(value), base, found);
        rest = after;
    }
}

fn read_attribute(element: &str, name: &str, value: &str, base: &mut Option<Url>, found: &mut FoundUrls) {
    let name = name.to_ascii_lowercase();
    if !URL_ATTRIBUTES.contains(&name.as_str()) {
        // `style`, `srcset`, the refresh of `meta`, and what mail programs add.
        return scan(value, found);
    }
    if element.eq_ignore_ascii_case("base") && base.is_none() {
        *base = parsed(value);
        return;
    }
    match base.as_ref().filter(|_| parsed(value).is_none()).and_then(|base| base.join(value.trim()).ok()) {
        Some(joined) => take_with_inner(joined.as_str(), found),
        None => take_with_inner(value.trim(), found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_in_attributes_and_text_are_found() {
        let html = r#"<html><body background='//bg.example/x'>
            <A title="a > b" HREF = https://one.example/a?b=1&amp;c=2 >Pay at http&#58;//two.example/&#x41;</A>
            <img/src="https://three.example/i.png"onerror=x><form action='https:&#47;&sol;four.example'>
            <!--[if mso]><v:roundrect href="https://five.example/"></v:roundrect><![endif]-->
            <meta http-equiv=refresh content="0; url=https://six.example/"><a href="mailto:x@y.example">m</a>
            <div style="background:url(https://seven.example/z)"><a href='javascript:void(0)'>1 < 2</a>
            <a href="https://ei
ght.example/">x</a><a href="https://last.example"#;
        let hosts = ["bg", "one", "two", "three", "four", "five", "six", "seven", "eight", "last"];
        let found = in_html(html);
        let of = |host: &str| found.urls.iter().find(|url| url.contains(&format!("//{host}.example")));
        for host in hosts {
            assert!(of(host).is_some(), "{host}: {found:?}");
        }
        assert_eq!(found.urls.len(), hosts.len(), "{found:?}");
        assert_eq!(of("one").unwrap(), "https://one.example/a?b=1&c=2");
        assert_eq!(of("two").unwrap(), "http://two.example/A");
    }

    #[test]
    fn relative_url_belongs_to_its_base() {
        let html = "<base href='https://evil.example/x/'><a href='../login?a=1'>x</a><img src='cid:logo'>";
        assert_eq!(in_html(html).urls, ["https://evil.example/login?a=1"]);
        assert!(in_html("<a href='/login'>x</a>").urls.is_empty());
    }
}
