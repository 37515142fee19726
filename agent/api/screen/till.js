// The cashier page: one EventSource, one paint per event. What is typed goes to the till at once; nothing is kept here.

const words = JSON.parse(document.body.dataset.words);
const language = document.documentElement.lang;
const locale = { ru: "ru-RU", en: "en-GB" }[language]; // numbers, dates and the 24-hour clock
const till = `/v1/tills/${encodeURIComponent(document.body.dataset.till)}`;
const events = `${till}/events`;
const SILENCE_MS = 12_000; // the agent beats every 5 s
const ANSWER_MS = 3_000;
const RETRY_MS = 2_000;

const NOTHING = "—";
const SIGNS = {
  idle: "card", member: "ok", card_only: "card", unknown_code: "down", sold: "ok", unavailable: "warning",
  connecting: "none", no_contact: "warning", not_paired: "warning", full: "warning",
};
const SLOTS = { network: ["network", "programme"], queue: ["queue", "till"], printer: ["printer", "receipt"], scanner: ["scanner"] };
const WORST_FIRST = ["down", "warning", "ok"];
const HEALTH_SIGNS = { ok: "ok", warning: "warning", down: "down", none: "none" };

const place = (id) => document.getElementById(id);

function put(id, text, roomy) {
  write(place(id), text, roomy);
}

function write(element, text, roomy = Infinity) {
  if (element.textContent === text) return; // the same again is not read aloud again
  element.textContent = text;
  element.dataset.size = text === "" || text === NOTHING ? "none" : text.length > roomy ? "long" : "short";
}

const fill = (text, hole, value) => text.replace(`{${hole}}`, value);
const inLanguage = (texts) => (texts && (texts[language] ?? Object.values(texts)[0])) || "";

const narrow = (number) => number.replaceAll("\u00a0", "\u202f"); // a thin space that does not break

function points(amount, decimals) {
  if (amount === null) return NOTHING;
  const whole = amount % 10 ** decimals === 0;
  const digits = whole ? 0 : decimals;
  const format = new Intl.NumberFormat(locale, { minimumFractionDigits: digits, maximumFractionDigits: digits, useGrouping: true });
  return narrow(format.format(amount / 10 ** decimals));
}

function money(minor, currency) {
  if (minor === null || currency === null) return NOTHING;
  const format = new Intl.NumberFormat(locale, { style: "currency", currency, currencyDisplay: "narrowSymbol" });
  return narrow(format.format(minor / 10 ** format.resolvedOptions().maximumFractionDigits));
}

function age(asOf) {
  const at = new Date(asOf);
  const today = at.toDateString() === new Date().toDateString();
  const day = today ? {} : { day: "numeric", month: "long" };
  return fill(words.as_of, "time", at.toLocaleString(locale, { ...day, hour: "2-digit", minute: "2-digit" }));
}

function underBalance(view) {
  if (view.balance < 0) return fill(words.debt, "points", points(-view.balance, view.point_decimals));
  return view.as_of === null ? "" : age(view.as_of);
}

// Who stands there, and what else there is to say of it
function who(view) {
  if (view.state === "member") return [view.greeting ?? words.member, words.member_more];
  if (view.state === "sold") return [words.sold, view.greeting ?? words.sold_more];
  return [words[view.state], words[`${view.state}_more`]];
}

function paint(view) {
  const [headline, more] = who(view);
  const sold = view.state === "sold";
  const paidWithPoints = sold || view.redeemed > 0;
  const decimals = view.point_decimals;
  document.body.dataset.state = view.state;
  place("sign").setAttribute("href", `#sign-${SIGNS[view.state]}`);
  put("headline", headline, 18);
  put("more", more);
  put("tier", inLanguage(view.tier_name) || view.tier || "", 12);
  put("balance", view.balance === null ? NOTHING : points(Math.max(0, view.balance), decimals), 5);
  put("as-of", underBalance(view));
  put("earns-label", sold ? words.earned : words.earns);
  put("earns", view.earns === null ? NOTHING : `+${points(view.earns, decimals)}`, 10);
  put("redeem-label", paidWithPoints ? words.redeemed : words.max_redeem);
  put("redeem", points(paidWithPoints ? view.redeemed : view.max_redeem, decimals), 10);
  put("pay", money(view.pay, view.currency), 10);
  put("say", inLanguage(view.say), 60);
  put("notice", inLanguage(view.notice), 62);
}

const EMPTY = {
  greeting: null, tier: null, tier_name: null, balance: null, as_of: null, earns: null, max_redeem: null,
  redeemed: null, pay: null, total: null, currency: null, point_decimals: 0, say: {}, notice: null,
};

function paintBar(board) {
  for (const [slot, parts] of Object.entries(SLOTS)) {
    const mine = board.filter((one) => parts.includes(one.part));
    const rank = (one) => WORST_FIRST.indexOf(one.state);
    const shown = mine.sort((a, b) => rank(a) - rank(b))[0];
    const health = shown ? shown.state : "none";
    const item = place(`part-${slot}`);
    item.dataset.health = health;
    item.querySelector("use").setAttribute("href", `#sign-${HEALTH_SIGNS[health]}`);
    write(item.querySelector(".text"), shown ? inLanguage(shown.text) : words.no_news, 56);
  }
}

// A receipt of which nobody knows whether it came out: the cashier looks at the paper and decides
let doubted = null;
const decided = new Set(); // an answer that was under way may still name them

async function askAboutReceipts() {
  try {
    const answer = await fetch(`${till}/receipts/doubtful`, { signal: AbortSignal.timeout(ANSWER_MS) });
    if (answer.ok) showDoubt((await answer.json()).receipts.find((one) => !decided.has(one.job)) ?? null);
  } catch {
    // no contact: the stream will say so, and each new status asks again
  }
}

function showDoubt(receipt) {
  doubted = receipt;
  place("doubt").hidden = receipt === null;
  if (receipt === null) return;
  const time = new Date(receipt.at).toLocaleTimeString(locale, { hour: "2-digit", minute: "2-digit" });
  write(place("doubt-text"), fill(words.doubt, "time", time));
}

function decide(decision) {
  return async () => {
    if (doubted === null) return;
    const receipt = doubted;
    decided.add(receipt.job);
    showDoubt(null); // one press, one decision
    const body = JSON.stringify({ decision });
    const headers = { "Content-Type": "application/json" };
    await fetch(`${till}/receipts/${receipt.job}`, { method: "POST", body, headers }).catch(() => {});
    await askAboutReceipts();
  };
}

place("doubt-again").addEventListener("click", decide("again"));
place("doubt-leave").addEventListener("click", decide("leave"));

// The number of a card that cannot be read; what it is comes back over the stream, as after a scan
async function find(event) {
  event.preventDefault();
  const code = place("code").value.trim();
  place("code").value = "";
  if (code === "") return;
  const headers = { "Content-Type": "application/json" };
  const asked = { method: "POST", body: JSON.stringify({ code }), headers, signal: AbortSignal.timeout(ANSWER_MS) };
  const answer = await fetch(`${till}/identify`, asked).catch(() => null);
  if (!answer?.ok) put("notice", words.entry_failed, 62);
}

place("entry").addEventListener("submit", find);

function news(board) {
  paintBar(board);
  askAboutReceipts();
}

// Words for a stream that does not come: the balance of somebody who has left must not stay on the screen
function lost(state) {
  paint({ ...EMPTY, state });
  paintBar([]);
  showDoubt(null);
}

// Why the stream does not come; "" = the agent is well and only let go of this one
async function reason() {
  try {
    const { ok, status } = await fetch(events, { method: "HEAD", signal: AbortSignal.timeout(ANSWER_MS) });
    if (status === 401 || status === 403) return "not_paired";
    return ok ? "" : status === 503 ? "full" : "no_contact";
  } catch {
    return "no_contact";
  }
}

let silence;

function heard(action) {
  return (event) => {
    clearTimeout(silence);
    silence = setTimeout(() => again(source), SILENCE_MS);
    action(JSON.parse(event.data));
  };
}

let source;

function connect() {
  source = new EventSource(events);
  source.addEventListener("view", heard(paint));
  source.addEventListener("status", heard(news));
  source.addEventListener("beat", heard(() => {}));
  source.addEventListener("error", () => again(source));
}

// EventSource gives up for good on an HTTP error, so every loss is the same here: say why, wait, connect anew
async function again(ended) {
  clearTimeout(silence);
  ended.close();
  if (ended !== source) return;
  source = null;
  const state = await reason();
  if (state) lost(state);
  setTimeout(connect, RETRY_MS);
}

connect();
