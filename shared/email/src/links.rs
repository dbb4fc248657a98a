use std::collections::BTreeMap;
use url::Url;

/// Returns a link with the parameters that it does not have yet. A link that is none stays as it is.
pub fn with_parameters(link: &str, parameters: &BTreeMap<String, String>) -> String {
    let Ok(mut url) = Url::parse(link) else { return link.to_owned() };
    let missing: Vec<_> =
        parameters.iter().filter(|(name, _)| !url.query_pairs().any(|(known, _)| known == name.as_str())).collect();
    if missing.is_empty() {
        return link.to_owned();
    }
    url.query_pairs_mut().extend_pairs(missing);
    url.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_added_to_those_of_the_link() {
        let parameters =
            BTreeMap::from([("utm_source".into(), "restock".into()), ("utm_medium".into(), "e mail".into())]);
        let with = |link: &str| with_parameters(link, &parameters);

        assert_eq!(with("https://shop.example/a"), "https://shop.example/a?utm_medium=e+mail&utm_source=restock");
        assert_eq!(
            with("https://shop.example/a?x=1&utm_source=own#size"),
            "https://shop.example/a?x=1&utm_source=own&utm_medium=e+mail#size"
        );
        assert_eq!(with("no link"), "no link");
        assert_eq!(with_parameters("https://shop.example/Ä b", &BTreeMap::new()), "https://shop.example/Ä b");
    }
}
