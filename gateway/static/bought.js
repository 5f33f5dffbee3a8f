"use strict";

/* Buying a book, and how its order is getting on. Loaded after home.js, whose helpers it uses. */

const LOOK_EVERY_MS = 2000;
const ORDER_ENDED = new Set(["delivered", "cancelled"]);
const ORDER_WORDS = {
  received: "We have your order.",
  painting: "We are painting your pages.",
  checking: "Somebody looks at every page before it is printed.",
  preparing: "The pages are being made ready for the printer.",
  printing: "Your book is with the printer.",
  shipped: "Your book is on its way.",
  delivered: "Your book has arrived.",
  delayed: "It takes a little longer than we thought. We are looking after it.",
  cancelled: "This order was cancelled.",
};

const bearer = (token) => ({ Authorization: `Bearer ${token}` });
const pause = () => new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));

/** Leave for the page where the book of a preview is paid. */
async function buy(accepted) {
  const checkout = await call("/api/checkout", {
    method: "POST",
    headers: { ...bearer(accepted.access_token), "Content-Type": "application/json" },
    body: JSON.stringify({
      preview_id: accepted.preview_id,
      dedication: byId("dedication").value || null,
    }),
  });
  // It stays in this tab while the parent is away, paying.
  sessionStorage.setItem(checkout.session_id, accepted.access_token);
  location.assign(checkout.checkout_url);
}

function countDedication() {
  const { value, maxLength } = byId("dedication");
  const left = maxLength - value.length;
  byId("dedication-left").textContent = `${left} ${left === 1 ? "character" : "characters"} left`;
}

function showOrder(order) {
  const painted = order.status === "painting"
    ? ` ${order.pages_ready} of ${order.total_pages} pages are there.`
    : "";
  byId("bought-title").textContent = order.title;
  // As text: whatever was written is shown as it will be printed.
  byId("bought-dedication").textContent = order.dedication ?? "";
  byId("bought-dedication").hidden = !order.dedication;
  byId("bought-step").textContent = ORDER_WORDS[order.status] + painted;
  byId("bought-bar").value = order.progress;
  byId("bought-bar").hidden = order.progress === 100;
  byId("bought-download").hidden = !order.download_url;
}

async function paidOrder(sessionId, token) {
  for (;;) {
    const checkout = await call(`/api/checkout/${encodeURIComponent(sessionId)}`, {
      headers: bearer(token),
    });
    if (checkout.order_id) {
      return checkout.order_id;
    }
    if (checkout.status === "expired") {
      throw new ProblemError("This checkout is over, and nothing was paid.");
    }
    byId("bought-step").textContent = "Waiting for the payment.";
    await pause();
  }
}

/** After a payment, in the tab that was bought in. */
async function followPayment(sessionId) {
  const token = sessionStorage.getItem(sessionId);
  if (!token) {
    throw new ProblemError("Please look at your order in the window where you bought it.");
  }
  byId("bought").hidden = false;
  await followOrder(await paidOrder(sessionId, token), token);
}

async function followOrder(orderId, token) {
  byId("bought").hidden = false;
  byId("bought-download").addEventListener("click", async () => {
    try {
      const headers = { ...bearer(token), Accept: "application/json" };
      const { url } = await call(`/api/download/${orderId}`, { headers });
      location.assign(here(url));
    } catch (error) {
      complain(error.message);
    }
  });
  for (;;) {
    const order = await call(`/api/orders/${orderId}`, { headers: bearer(token) });
    showOrder(order);
    if (ORDER_ENDED.has(order.status)) {
      return;
    }
    await pause();
  }
}

byId("dedication").addEventListener("input", countDedication);
countDedication();

const paidSession = new URLSearchParams(location.search).get("checkout");
const letter = new URLSearchParams(location.hash.slice(1)); // the link in a letter
if (paidSession) {
  followPayment(paidSession).catch((error) => complain(error.message));
} else if (letter.has("order")) {
  followOrder(letter.get("order"), letter.get("token")).catch((error) => complain(error.message));
}
