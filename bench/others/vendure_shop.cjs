// Back in stock in Vendure with the plugin of Callit Today: one server with N subscriptions of one variant, in SQLite, with mails that are
// rendered and then counted.
//
//     node vendure_shop.cjs N    prints one line of JSON
//
// Each server is a process of its own. Stock changes by the admin API. The job queue is Vendure's default, in memory, and the plugin is set
// up as its README does (no limit by stock); `peer` is a second server on the same database, as in a deployment with two instances.
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const pause = ms => new Promise(resolve => setTimeout(resolve, ms));
const exists = async file => {
    while (!fs.existsSync(file)) await pause(5);
};

// The body is the README's, without its footer.
const BODY = `{{> header title="{{productVariant.name}} - Back In Stock!" }}
<mj-section><mj-column><mj-text>{{ productVariant.name }} is now back in stock!</mj-text>
<mj-button href="{{ url }}/{{ productVariant.product.slug }}">View Product</mj-button></mj-column></mj-section>
{{> footer }}`;

function templatesIn(folder) {
    const emailPlugin = path.dirname(require.resolve('@vendure/email-plugin/package.json'));
    fs.cpSync(path.join(emailPlugin, 'templates', 'partials'), path.join(folder, 'partials'), { recursive: true });
    fs.mkdirSync(path.join(folder, 'back-in-stock'), { recursive: true });
    fs.writeFileSync(path.join(folder, 'back-in-stock', 'body.hbs'), BODY);
    return folder;
}

async function start(folder, name, sent) {
    const { bootstrap, dummyPaymentHandler, JobQueueService } = require('@vendure/core');
    const { EmailPlugin, FileBasedTemplateLoader } = require('@vendure/email-plugin');
    const plugin = require('@callit-today/vendure-plugin-back-in-stock');
    const port = 20_000 + (process.pid % 20_000);
    const silent = () => {};
    const app = await bootstrap({
        apiOptions: { port, hostname: '127.0.0.1', adminApiPath: 'admin-api', shopApiPath: 'shop-api' },
        authOptions: {
            tokenMethod: 'bearer',
            superadminCredentials: { identifier: 'superadmin', password: 'superadmin' },
            cookieOptions: { secret: 'bench' },
        },
        dbConnectionOptions: {
            type: 'better-sqlite3',
            database: path.join(folder, 'shop.sqlite'),
            synchronize: name === 'first',
            timeout: 60_000,
        },
        paymentOptions: { paymentMethodHandlers: [dummyPaymentHandler] },
        logger: { error: silent, warn: silent, info: silent, verbose: silent, debug: silent },
        plugins: [
            plugin.BackInStockPlugin.init({ enableEmail: true, limitEmailToStock: false }),
            EmailPlugin.init({
                handlers: [plugin.backInStockNotificationHandler],
                templateLoader: new FileBasedTemplateLoader(templatesIn(path.join(folder, name))),
                globalTemplateVars: { fromAddress: 'shop@example.com' },
                transport: { type: 'none' },
                emailSender: { send: async mail => sent.push({ to: mail.recipient, at: performance.now() }) },
            }),
        ],
    });
    await app.get(JobQueueService).start();
    const url = `http://127.0.0.1:${port}/admin-api`;
    let authorization;
    const ask = async (query, variables) => {
        const headers = { 'content-type': 'application/json', ...(authorization && { authorization }) };
        const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify({ query, variables }) });
        authorization ??= `Bearer ${answer.headers.get('vendure-auth-token')}`;
        return answer.json();
    };
    await ask('mutation { login(username: "superadmin", password: "superadmin") { __typename } }');
    const change = 'mutation($input: [UpdateProductVariantInput!]!) { updateProductVariants(input: $input) { id } }';
    const setStock = async stockOnHand => {
        // SQLite may refuse the second of two writers; a client asks again.
        for (;;) {
            const answer = await ask(change, { input: [{ id: '1', stockOnHand }] });
            if (!answer.errors) return;
            if (!/locked/.test(answer.errors[0].message)) throw new Error(answer.errors[0].message);
        }
    };
    return { app, setStock };
}

async function fill(app, people) {
    const { ProductService, ProductVariantService, RequestContextService, TransactionalConnection } = require('@vendure/core');
    const { populateInitialData } = require('@vendure/core/cli');
    const { BackInStock } = require('@callit-today/vendure-plugin-back-in-stock/dist/entity/back-in-stock.entity');
    await populateInitialData(app, {
        defaultLanguage: 'en',
        defaultZone: 'Europe',
        countries: [{ name: 'Austria', code: 'AT', zone: 'Europe' }],
        taxRates: [{ name: 'Standard', percentage: 20 }],
        shippingMethods: [],
        paymentMethods: [],
        collections: [],
    });
    const context = await app.get(RequestContextService).create({ apiType: 'admin' });
    const named = name => [{ languageCode: 'en', name, slug: 'sweater', description: '' }];
    const product = await app.get(ProductService).create(context, { translations: named('Wool sweater') });
    const variant = { productId: product.id, sku: 'SKU-1', price: 1_000, stockOnHand: 0, trackInventory: 'TRUE' };
    await app.get(ProductVariantService).create(context, [{ ...variant, translations: named('Wool sweater') }]);
    const subscriptions = app.get(TransactionalConnection).rawConnection.getRepository(BackInStock);
    const waits = n => ({
        email: `${n}@example.com`,
        status: 'Created',
        productVariant: { id: 1 },
        channel: { id: context.channelId },
    });
    for (let n = 0; n < people; n += 500) {
        await subscriptions.insert(Array.from({ length: Math.min(500, people - n) }, (_, more) => waits(n + more)));
    }
}

// Runs a server: sets the stock when the file `go` appears, waits until no mail has come for a while, and writes what came of it.
async function serve(folder, name, people) {
    const sent = [];
    const { app, setStock } = await start(folder, name, sent);
    if (name === 'first') {
        await fill(app, people);
        await setStock(0);
    }
    fs.writeFileSync(path.join(folder, `${name}.ready`), '');
    await exists(path.join(folder, 'go'));
    const begin = performance.now();
    await setStock(name === 'first' ? 5 : 7);
    const call = (performance.now() - begin) / 1_000;
    let [seen, since] = [0, performance.now()];
    while (performance.now() - since < 10_000) {
        await pause(50);
        if (sent.length > seen) [seen, since] = [sent.length, performance.now()];
    }
    const lasted = sent.length ? (sent.at(-1).at - begin) / 1_000 : 0;
    const told = { call, lasted, mailed: sent.map(mail => mail.to), memory: Math.round(process.resourceUsage().maxRSS / 1_024) };
    fs.writeFileSync(path.join(folder, `${name}.json`), JSON.stringify(told));
    process.exit(0);
}

async function play(names, people) {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'vendure-'));
    try {
        const ended = [];
        for (const name of names) {
            const server = spawn(process.execPath, [__filename, folder, name, String(people)], { stdio: ['ignore', 'ignore', 'inherit'] });
            ended.push(new Promise((resolve, reject) => server.on('exit', code => (code ? reject(new Error(`${name} ended with ${code}`)) : resolve()))));
            await Promise.race([exists(path.join(folder, `${name}.ready`)), ended.at(-1)]);
        }
        fs.writeFileSync(path.join(folder, 'go'), '');
        await Promise.all(ended);
        return names.map(name => JSON.parse(fs.readFileSync(path.join(folder, `${name}.json`))));
    } finally {
        fs.rmSync(folder, { recursive: true, force: true });
    }
}

async function measure(people) {
    const [one] = await play(['first'], people);
    const mailed = (await play(['first', 'peer'], people)).flatMap(server => server.mailed);
    console.log(
        JSON.stringify({
            call: one.call,
            mails: one.mailed.length,
            mailsPerSecond: one.mailed.length / one.lasted,
            memory: one.memory,
            mailsOfTwoCalls: mailed.length,
            peopleOfTwoCalls: new Set(mailed).size,
        }),
    );
}

const [first, name, people] = process.argv.slice(2);
const run = name ? serve(first, name, Number(people)) : measure(Number(first));
run.catch(error => {
    console.error(error);
    process.exit(1);
});
