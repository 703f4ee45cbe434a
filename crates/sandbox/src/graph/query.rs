//! The OData query options of a URL.

use percent_encoding::percent_decode;

use super::refusal::Refusal;

/// The query options of one request, decoded.
#[derive(Debug, Default)]
pub(super) struct Query {
    pub(super) select: Option<String>,
    pub(super) top: Option<usize>,
    pub(super) skip: Option<usize>,
    pub(super) skip_token: Option<String>,
    pub(super) filter: Option<String>,
    pub(super) search: Option<String>,
    pub(super) order_by: Option<String>,
    pub(super) expand: Option<String>,
    pub(super) count: bool,
    /// `includeHiddenFolders=true`
    pub(super) include_hidden_folders: bool,
}

impl Query {
    /// The size of the pages that a request wants, `usual` without `$top`, `largest` at most.
    pub(super) fn page_size(&self, usual: usize, largest: usize) -> Result<usize, Refusal> {
        let asked = self.top.unwrap_or(usual);
        if (1..=largest).contains(&asked) {
            return Ok(asked);
        }
        let message =
            format!("The value '{asked}' of $top is out of range: it must be between 1 and {largest}.");
        Err(Refusal::new(400, "ErrorInvalidUrlQuery", message))
    }

    /// Reads the part behind the `?`. Options without `$` are ignored, as Graph does, so a misspelt `?$filter` filters
    /// nothing.
    pub(super) fn parse(raw: &str) -> Result<Self, Refusal> {
        let mut query = Self::default();
        for pair in raw.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decode(name)?, decode(value)?);
            if !name.starts_with('$') {
                query.include_hidden_folders |= name == "includeHiddenFolders" && value == "true";
                continue;
            }
            let slot = match name.as_str() {
                "$select" => &mut query.select,
                "$skiptoken" => &mut query.skip_token,
                "$filter" => &mut query.filter,
                "$search" => &mut query.search,
                "$orderby" => &mut query.order_by,
                "$expand" => &mut query.expand,
                "$top" => {
                    query.top = Some(number(&name, &value)?);
                    continue;
                }
                "$skip" => {
                    query.skip = Some(number(&name, &value)?);
                    continue;
                }
                "$count" => {
                    query.count = true;
                    continue;
                }
                _ => {
                    return Err(Refusal::bad_request(format!(
                        "The query parameter '{name}' is not supported or not recognized."
                    )));
                }
            };
            if slot.replace(value).is_some() {
                return Err(Refusal::bad_request(format!(
                    "Query option '{name}' was specified more than once, but it must be specified at most once."
                )));
            }
        }
        Ok(query)
    }
}

fn number(name: &str, value: &str) -> Result<usize, Refusal> {
    value.parse().map_err(|_| {
        Refusal::bad_request(format!(
            "Invalid value '{value}' for {name} query option found. The {name} query option requires a \
             non-negative integer value."
        ))
    })
}

fn decode(raw: &str) -> Result<String, Refusal> {
    let spaced = raw.replace('+', " ");
    percent_decode(spaced.as_bytes())
        .decode_utf8()
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| Refusal::bad_request("The query string is not UTF-8."))
}

/// Encodes a value for a query string.
pub(super) fn encode(value: &str) -> String {
    percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC).to_string()
}
