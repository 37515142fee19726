// The code stands behind the # of the address, so it never travels in a request line; it is paid in at once and wiped.

const words = JSON.parse(document.body.dataset.words);
const news = document.getElementById("news");

async function pair(code) {
  let reply;
  try {
    reply = await fetch("/v1/pairing", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ code }),
    });
  } catch {
    return words.no_contact;
  }
  if (!reply.ok) return words.refused;
  const { till } = await reply.json();
  location.replace(`/till/${encodeURIComponent(till)}${location.search}`);
  return words.wait;
}

async function start() {
  const code = location.hash.slice(1);
  history.replaceState(null, "", location.pathname + location.search);
  news.textContent = code ? await pair(code) : words.no_code;
}

addEventListener("hashchange", start); // another code in the same window
start();
