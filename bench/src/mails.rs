//! Rendering mails, and the least that any renderer of the same template does.

use jiff::Timestamp;
use minijinja::{Environment, context};
use restock_domain::{Brands, EmailChoice, Locale, Product, Template, TemplateId, TemplateSource};
use restock_email::{Content, Renderer, sample};

/// About as long as the compiled-in template is as HTML.
const PARAGRAPHS: usize = 60;
const TEXT: &str = "{{ greeting }}\n\n{{ title }}\n{{ price }}\n{{ link }}\n\n{{ unsubscribe_url }}\n";

/// A template that both fill in: with Restock's renderer, and with minijinja alone.
pub struct Mails {
    renderer: Renderer,
    template: Template,
    product: Product,
    locale: Locale,
    brands: Brands,
    environment: Environment<'static>,
}

impl Default for Mails {
    fn default() -> Self {
        let paragraph = "<tr><td style=\"color: {{ light.text }}\">{{ title }}: {% if price %}{{ price }}{% endif %} <a href=\"{{ link }}\">{{ link }}</a></td></tr>\n";
        let html = format!(
            "<html><body><p>{{{{ greeting }}}}</p><table>{}</table><a href=\"{{{{ unsubscribe_url }}}}\">x</a></body></html>",
            paragraph.repeat(PARAGRAPHS)
        );
        let mut environment = Environment::new();
        environment.add_template_owned("mail.html", html.clone()).expect("a template");
        environment.add_template_owned("mail.txt", TEXT.to_owned()).expect("a template");
        let template = Template {
            id: TemplateId::parse("bench").expect("an id"),
            name: None,
            html: TemplateSource::Html(html),
            text: Some(TEXT.to_owned()),
            version: 1,
            updated_on: None,
        };
        Self {
            renderer: Renderer::new().expect("texts"),
            template,
            product: sample::on_sale(),
            locale: Locale::parse("sv-SE").expect("a locale"),
            brands: sample::brands(),
            environment,
        }
    }
}

impl Mails {
    /// Renders a mail as `send-email` does, and returns its bytes.
    pub fn render(&self) -> usize {
        self.render_as(&self.template)
    }

    /// Renders a mail in the compiled-in template.
    pub fn render_default(&self) -> usize {
        self.render_as(&restock_email::default_template())
    }

    fn render_as(&self, template: &Template) -> usize {
        let content = Content {
            email: &EmailChoice::default(),
            template,
            locale: &self.locale,
            product: &self.product,
            first_name: Some("Ann"),
            unsubscribe_url: "https://stock.shop.example/unsubscribe/AekD",
            also_waiting: &[],
            related: &[],
            brands: &self.brands,
            now: Timestamp::UNIX_EPOCH,
        };
        let mail = self.renderer.render(content).expect("a mail");
        mail.html.len() + mail.text.len()
    }

    /// Fills in the same template with values that are ready, and returns its bytes.
    pub fn render_bare(&self) -> usize {
        let fill = |name| {
            let values = context! {
                greeting => "Hej Ann!",
                title => self.product.title(),
                link => self.product.link(),
                price => "Nu 89,00 €",
                light => context! { text => "#222222" },
                unsubscribe_url => "https://stock.shop.example/unsubscribe/AekD",
            };
            self.environment.get_template(name).and_then(|template| template.render(values)).expect("a mail")
        };
        fill("mail.html").len() + fill("mail.txt").len()
    }
}
