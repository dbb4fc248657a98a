//! Trying a template before it is stored.

use crate::content::Content;
use crate::html::{in_a_tag, shows_link};
use crate::parts::{Part, Parts, Unusable};
use crate::personal::{Personal, Values, plain};
use crate::render::Renderer;
use crate::sample;
use crate::template::{AsWritten, Compiled};
use crate::texts::languages;
use crate::variables::Variables;
use restock_domain::{Brands, EmailChoice, Locale, Product, Template, TemplateSource};

/// Gmail shows no more than 102 KB of a mail.
pub const MAX_HTML_BYTES: usize = 90_000;

impl Renderer {
    /// Refuses a template that can't be rendered for every product and brand, or whose mails lack the unsubscribe link
    /// or are too large. Names the line of the source where it can.
    pub fn check(&self, template: &Template, brands: &Brands) -> Result<(), Unusable> {
        let html = matches!(template.html, TemplateSource::Html(_)).then(|| template.html.text());
        let parts = [(Part::Html, html), (Part::Text, template.text.as_deref())];
        if let Some((part, _)) =
            parts.into_iter().find(|(_, source)| source.is_some_and(|it| it.contains("<mj-include")))
        {
            let reason =
                "mj-include is MJML, and would be sent as it is: write its parts out, or send the template as mjml.";
            return Err(Unusable::new(part, reason));
        }
        let as_written = AsWritten::of(&template.html)?;
        let compiled = Compiled::strictly(template)?;
        let email = EmailChoice::default();
        let (nobody, whole) = (Brands::default(), sample::brands());
        let samples = sample::products();
        let related: &[&[Product]] =
            if template.shows_related() { &[&samples[..4], &samples[..1], &[]] } else { &[&[]] };
        let english = Locale::from("en-GB".to_owned());
        let sample = Content {
            email: &email,
            template,
            locale: &english,
            product: &samples[0],
            first_name: None,
            unsubscribe_url: "",
            also_waiting: &[],
            related: &samples[..1],
            brands: &whole,
            now: sample::now(),
        };
        let (language, nothing) = (self.language(&english, &whole), Personal::nothing());
        let variables = Variables::of(sample, &language, &nothing);
        as_written.check_names(&variables)?;
        compiled.check_names(&variables)?;
        // Every language with one product, and all products and brands in both directions of writing.
        let in_each = languages().map(|tag| (tag, &samples[..1], vec![brands]));
        let in_two = ["en-GB", "ar-EG"].map(|tag| (tag, &samples[..], vec![brands, &nobody, &whole]));
        for (tag, products, brands) in in_each.chain(in_two) {
            let locale = &Locale::from(tag.to_owned());
            let of = |product| {
                brands.iter().flat_map(move |brands| related.iter().map(move |related| (product, *brands, *related)))
            };
            for (product, brands, related) in products.iter().flat_map(of) {
                let content = Content { product, locale, related, brands, ..sample };
                let try_out = |personal: Personal| self.try_out(content, &as_written, &compiled, &personal);
                let (one, other) = (try_out(Personal::new())?, try_out(Personal::longer())?);
                let (language, nothing) = (self.language(locale, brands), Personal::nothing());
                let bare = compiled.fill(&Variables::of(content, &language, &nothing))?;
                // What comes out may differ by the values themselves, and by nothing else.
                if one != other || one.without_values != bare {
                    let reason = "greeting, unsubscribe_url and also_waiting differ between recipients: write them as they are, such as {{ greeting }}, without filters, conditions and loops.";
                    return Err(Unusable::new(Part::Html, reason));
                }
            }
        }
        Ok(())
    }

    /// Returns the parts of a mail to somebody.
    fn try_out(
        &self,
        content: Content<'_>,
        as_written: &AsWritten,
        compiled: &Compiled,
        personal: &Personal,
    ) -> Result<Tried, Unusable> {
        let language = self.language(content.locale, content.brands);
        let variables = Variables::of(content, &language, personal);
        as_written.fill(&variables)?;
        let parts = compiled.fill(&variables)?;
        if let Some(part) = parts.without_link(personal) {
            let reason = format!(
                "Every mail needs a link to unsubscribe: write href=\"{{{{ unsubscribe_url }}}}\" in HTML, and {{{{ unsubscribe_url }}}} in text. A mail about {} in {} has none.",
                content.product.title(),
                content.locale
            );
            return Err(Unusable::new(part, reason));
        }
        if in_a_tag(&parts.html, &personal.also_waiting) {
            let reason =
                "also_waiting is a list in HTML: write it as a text of its own, not in an attribute or the title.";
            return Err(Unusable::new(Part::Html, reason));
        }
        if parts.html.len() > MAX_HTML_BYTES {
            let bytes = parts.html.len();
            let reason = format!(
                "A mail has {bytes} bytes of HTML, and {MAX_HTML_BYTES} are the most: mail clients cut longer ones."
            );
            return Err(Unusable::new(Part::Html, reason));
        }
        let values = |greeting: &str, unsubscribe_url: &str, also_waiting: &str| Values {
            greeting: plain(greeting),
            unsubscribe_url: plain(unsubscribe_url),
            also_waiting: plain(also_waiting),
        };
        let whole = personal.fill(&parts, &values("Hi!", "https://shop.example/unsubscribe", "Mug"));
        Ok(Tried { whole, without_values: personal.fill(&parts, &values("", "", "")) })
    }
}

/// What came out of a template.
#[derive(PartialEq)]
struct Tried {
    whole: Parts,
    without_values: Parts,
}

impl Parts {
    /// Returns why a mail is not sent so, but in the default template.
    pub(crate) fn fault(&self, personal: &Personal) -> Option<&'static str> {
        let too_long = (self.html.len() > MAX_HTML_BYTES).then_some("it is too long");
        too_long.or_else(|| self.without_link(personal).map(|_| "it has no link to unsubscribe"))
    }

    /// Returns the part that lacks the link to unsubscribe, if one does.
    pub(crate) fn without_link(&self, personal: &Personal) -> Option<Part> {
        let mark = &personal.unsubscribe_url;
        if !shows_link(&self.html, mark) {
            return Some(Part::Html);
        }
        // Letters beside it would be a part of the address.
        let stands_alone = |(at, _): (usize, &str)| {
            let (before, after) = (self.text[..at].chars().next_back(), self.text[at + mark.len()..].chars().next());
            !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(|c| c.is_alphanumeric() || c == '/')
        };
        (!self.text.match_indices(mark).any(stands_alone)).then_some(Part::Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::built_in_templates;
    use restock_domain::TemplateId;

    fn template(html: TemplateSource, text: Option<&str>) -> Template {
        Template {
            id: TemplateId::default(),
            name: None,
            html,
            text: text.map(ToOwned::to_owned),
            version: 1,
            updated_on: None,
        }
    }

    fn refused(html: TemplateSource, text: Option<&str>) -> (Part, Option<usize>, String) {
        let checked = Renderer::new().unwrap().check(&template(html.clone(), text), &Brands::default());
        let Unusable { part, line, reason } = checked.expect_err(&format!("{html:?}"));
        (part, line, reason)
    }

    fn mjml(body: &str) -> TemplateSource {
        TemplateSource::Mjml(format!(
            "<mjml>\n<mj-body>\n<mj-include path=\"header.mjml\" />\n<mj-section>\n<mj-column>\n{body}\n</mj-column>\n</mj-section>\n<mj-include path=\"footer.mjml\" />\n</mj-body>\n</mjml>"
        ))
    }

    #[test]
    fn the_compiled_in_templates_and_plain_ones_are_fine() {
        let renderer = Renderer::new().unwrap();
        for template in built_in_templates() {
            renderer.check(&template, &Brands::default()).unwrap();
        }
        let html = TemplateSource::Html("<p>{{ greeting }} {% if product.color %}{{ product.color }}{% endif %} <a href=\"{{ unsubscribe_url }}\">x</a></p>".into());
        renderer.check(&template(html, None), &Brands::default()).unwrap();
        let own = mjml(
            "<mj-text>{{ title }}</mj-text><mj-raw>{% if image %}</mj-raw><mj-image src=\"{{ image }}\" /><mj-raw>{% endif %}</mj-raw>",
        );
        renderer.check(&template(own, Some("{{ title }} {{ unsubscribe_url }}")), &Brands::default()).unwrap();
    }

    #[test]
    fn a_name_that_no_mail_has_is_found_in_the_text_too() {
        let text = "{{ title }}\n{% if titel %}{{ titel }}{% endif %} {{ unsubscribe_url }}";

        let unusable =
            Renderer::new().unwrap().check(&template(mjml("<mj-text>a</mj-text>"), Some(text)), &Brands::default());

        let unusable = unusable.unwrap_err();
        assert_eq!((unusable.part, unusable.line), (Part::Text, Some(2)));
        assert!(unusable.reason.starts_with("There is no variable `titel`"), "{}", unusable.reason);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let deep = format!("<mj-text>{}{}</mj-text>", "<b>".repeat(9_000), "</b>".repeat(9_000));
        for (body, line, reason) in [
            (
                "<mj-text>{{ titel }}</mj-text>",
                Some(6),
                "There is no variable `titel`. These there are: also_waiting, availability, ",
            ),
            ("<mj-text>\n{{ product.color }}</mj-text>", Some(7), "`product.color` is undefined"),
            ("<mj-text>{% if image %}</mj-text>", None, "unexpected end of input"),
            ("<mj-text>{% for x in %}{% endfor %}</mj-text>", Some(6), "syntax error"),
            ("<mj-txt>a</mj-txt>", Some(6), "There is no element mj-txt"),
            ("<mj-text>{{ greeting | upper }}</mj-text>", None, "differ between recipients"),
            ("<mj-text>{{ greeting | lower }}</mj-text>", None, "differ between recipients"),
            ("<mj-text>{{ greeting | replace('!', '.') }}</mj-text>", None, "differ between recipients"),
            ("<mj-text>{{ greeting | length }}</mj-text>", None, "differ between recipients"),
            ("<mj-text>{{ (greeting | split('!'))[0] }}</mj-text>", None, "differ between recipients"),
            ("<mj-text>{{ greeting[:3] }}</mj-text>", None, "differ between recipients"),
            ("<mj-text>{% if also_waiting %}More{% endif %}</mj-text>", Some(6), "differ between recipients"),
            (
                "<mj-text>{% if greeting == \"Hi!\" %}Hi!{% else %}Dear{% endif %}</mj-text>",
                Some(6),
                "differ between recipients",
            ),
            ("<mj-text>{{ 'More' if also_waiting else '' }}</mj-text>", None, "differ between recipients"),
            ("<mj-text>{% for letter in greeting %}x{% endfor %}</mj-text>", Some(6), "differ between recipients"),
            ("<mj-text>{% if available_later %}{{ titel }}{% endif %}</mj-text>", Some(6), "no variable `titel`"),
            ("<mj-text>\n{% if sale_prise %}a{% endif %}</mj-text>", Some(7), "There is no variable `sale_prise`"),
            ("<mj-text>{% if brand.slogan %}a{% endif %}</mj-text>", Some(6), "There is no variable `brand.slogan`"),
            (
                "<mj-text>{{ t.bodi if t.bodi }}</mj-text>",
                Some(6),
                "There is no variable `t.bodi`. These there are: body",
            ),
            ("<mj-text>{{ title | safe }}</mj-text>", Some(6), "safe"),
            ("<mj-text>{% autoescape false %}{{ title }}{% endautoescape %}</mj-text>", Some(6), "autoescape"),
            ("<mj-text><p title=\"{{ also_waiting }}\">a</p></mj-text>", None, "a list in HTML"),
            (
                "<mj-text>{{ price }}</mj-text>",
                Some(6),
                "`price` is undefined: there is no such variable, or it may be missing",
            ),
            ("<mj-image src=\"{{ image }}\" />", Some(6), "may be missing"),
            ("<mj-text><p style=\"color:red;\n margin:0\">a</p></mj-text>", Some(6), "in one line"),
            ("<mj-text><!--[if mso]><p style=\"a\n\"></p><![endif]--></mj-text>", Some(6), "in one line"),
            ("<mj-text css-class='a \"b\"'>a</mj-text>", Some(6), "double quotes"),
            ("<mj-text><p class=\"a\\b\">a</p></mj-text>", Some(6), "can't stand there"),
            (&deep, Some(6), "deep"),
            (
                "<mj-text>{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}</mj-text>",
                None,
                "",
            ),
            ("<mj-text>{% for a in range(9000) %}0123456789012{% endfor %}</mj-text>", None, "are the most"),
            ("<mj-include path=\"other.mjml\" />", Some(6), "mj-include takes"),
        ] {
            let (part, found, why) = refused(mjml(body), None);

            assert_eq!(part, Part::Html, "{body}");
            assert!(why.contains(reason) && (line.is_none() || found == line), "{body}: line {found:?}: {why}");
        }
    }

    #[test]
    fn a_block_of_mjml_in_html_is_refused_and_so_is_a_place_in_a_list_that_may_be_shorter() {
        let renderer = Renderer::new().unwrap();
        let reason = |html: &str| {
            let html = TemplateSource::Html(format!("<a href=\"{{{{ unsubscribe_url }}}}\">x</a>{html}"));
            renderer.check(&template(html, None), &Brands::default()).unwrap_err().reason
        };

        assert!(reason("<mj-include path=\"related.mjml\" />").contains("mj-include is MJML"));
        for place in 0..5 {
            let shown = format!("{{% if related %}}{{{{ related[{place}].title }}}}{{% endif %}}");
            if place == 0 {
                let html = TemplateSource::Html(format!("<a href=\"{{{{ unsubscribe_url }}}}\">x</a>{shown}"));
                renderer.check(&template(html, None), &Brands::default()).unwrap();
            } else {
                let reason = reason(&shown);
                assert!(reason.contains("it may be missing"), "{place}: {reason}");
            }
        }
    }

    #[test]
    fn every_part_needs_the_unsubscribe_link() {
        let html = TemplateSource::Html("<p>{{ title }}</p>".into());
        assert_eq!(refused(html, None).0, Part::Html);
        let hidden = [
            "<!-- {{ unsubscribe_url }} -->",
            "<!-- <a href=\"{{ unsubscribe_url }}\">x</a> -->",
            "<title>{{ unsubscribe_url }}</title>",
            "<Script>let x = '<a href=\"{{ unsubscribe_url }}\">x</a>'</script>",
            "<template><a href=\"{{ unsubscribe_url }}\">x</a></template>",
            "<a data-href=\"{{ unsubscribe_url }}\">x</a>",
            "<a href=\"https://shop.example\" href=\"{{ unsubscribe_url }}\">x</a>",
            "<link href=\"{{ unsubscribe_url }}\">",
            "<a href=\"{{ unsubscribe_url }}.html\">x</a>",
            "<a href=\"{{ unsubscribe_url }}",
            "<p>href=\"{{ unsubscribe_url }}\"</p>",
            "<p title='<a href=\"{{ unsubscribe_url }}'>x</p>",
            "<xmp><a href=\"{{ unsubscribe_url }}\">x</a></xmp>",
            "<style>a {} <a href=\"{{ unsubscribe_url }}\">x</a>",
            "<a href=\"mailto:a@b.se?subject={{ unsubscribe_url }}\">x</a>",
            "<a href=\"https://shop.example/{{ unsubscribe_url }}\">x</a>",
            "{% if lang in [\"en\", \"sv\", \"ar\"] %}<a href=\"{{ unsubscribe_url }}\">x</a>{% endif %}",
            "<a href=\"{{ unsubscribe_url }}\"></a>",
            "<a href=\"{{ unsubscribe_url }}\"> &nbsp;<b>\u{200b}</b></a>",
            "<a href=\"{{ unsubscribe_url }}\" style=\"color:red; Display: none\">x</a>",
            "<a hidden href=\"{{ unsubscribe_url }}\">x</a>",
            "<div hidden><p>a</p><a href=\"{{ unsubscribe_url }}\">x</a></div>",
            "<div style='visibility:hidden'><br><a href=\"{{ unsubscribe_url }}\">x</a></div>",
            "{% if not available_later %}<a href=\"{{ unsubscribe_url }}\">x</a>{% endif %}",
        ];
        let shown = [
            "<A HREF = '{{ unsubscribe_url }}'>x</A>",
            "<a class=\"a=b hidden\" disabled style='color: red' href=\"{{ unsubscribe_url }}\" target=_blank>x</a>",
            "<a class=x href={{ unsubscribe_url }} >x</a>",
            "<p style=\"display: none\">preview<p>a</p><a href=\"{{ unsubscribe_url }}\"><img src=\"https://shop.example/u.png\"></a>",
            "<div hidden><img></div><a href=\"{{ unsubscribe_url }}\"><b>x</b></a>",
            "<!--[if !mso]><!--><a href=\"\n{{ unsubscribe_url }}\">x</a><!--<![endif]-->",
            "<!-- one --><a href={{ unsubscribe_url }}>x</a><!-- two -->",
            "<!-- no <style> here --><Title>a</TITLE ><a href={{ unsubscribe_url }}>x</a>",
        ];
        for html in shown {
            let template = template(TemplateSource::Html(html.into()), None);
            Renderer::new().unwrap().check(&template, &Brands::default()).unwrap();
        }
        for html in hidden {
            let (part, _, reason) = refused(TemplateSource::Html(html.into()), None);
            assert!(part == Part::Html && reason.contains("link to unsubscribe"), "{html}: {reason}");
        }
        assert_eq!(refused(mjml("<mj-text>a</mj-text>"), Some("{{ title }}")).0, Part::Text);
    }

    #[test]
    fn code_between_elements_counts_or_is_refused() {
        let renderer = Renderer::new().unwrap();
        let in_column = mjml("{% if image %}<mj-text>Picture</mj-text>{% endif %}");
        let in_body = "<mjml><mj-body>{% if image %}<mj-section><mj-column><mj-text>Picture</mj-text></mj-column></mj-section>{% endif %}<mj-include path=\"footer.mjml\" /></mj-body></mjml>";
        let in_section = "<mjml><mj-body><mj-section>{% if image %}<mj-column><mj-text>Picture</mj-text></mj-column>{% endif %}</mj-section><mj-include path=\"footer.mjml\" /></mj-body></mjml>";
        for source in [in_column, TemplateSource::Mjml(in_body.into()), TemplateSource::Mjml(in_section.into())] {
            let template = template(source, None);
            if let Err(unusable) = renderer.check(&template, &Brands::default()) {
                assert!(unusable.reason.contains("mj-raw"), "{}", unusable.reason);
                continue;
            }
            let shows = sample::products().map(|product| {
                let locale = Locale::from("en".to_owned());
                let content = Content {
                    email: &EmailChoice::default(),
                    template: &template,
                    locale: &locale,
                    product: &product,
                    first_name: None,
                    unsubscribe_url: "",
                    also_waiting: &[],
                    related: &[],
                    brands: &Brands::default(),
                    now: sample::now(),
                };
                renderer.render(content).unwrap().html.contains("Picture")
            });
            assert_eq!(shows, [true, true, true, true, false], "{:?}", template.html);
        }
    }
}
