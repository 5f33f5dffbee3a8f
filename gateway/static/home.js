"use strict";

const byId = (id) => document.getElementById(id);
const FINAL = new Set(["completed", "failed", "cancelled"]);

class ProblemError extends Error {}

async function call(path, options = {}) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new ProblemError("The service can't be reached. Please try again.");
  }
  const body = await response.json().catch(() => ({}));
  if (!response.ok) {
    const fields = (body.errors ?? []).map((item) => `${item.field} ${item.message}`).join("; ");
    throw new ProblemError([body.title, body.detail, fields].filter(Boolean).join(". "));
  }
  return body;
}

/** A link's path on this very origin, whatever address the service calls its own. */
function here(url) {
  const { pathname, search } = new URL(url, location.href);
  return pathname + search;
}

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

async function showBooks() {
  const { books } = await call("/api/books");
  const cards = books.map((book, index) =>
    element(
      "label",
      { className: "book" },
      element("input", { type: "radio", name: "book_id", value: book.id, checked: index === 0 }),
      element("strong", { textContent: book.title }),
      element("small", { textContent: book.description }),
      element("small", {
        textContent: `Ages ${book.age_range[0]}–${book.age_range[1]} · ${book.purchase.price_formatted}`,
      }),
    ),
  );
  byId("books").replaceChildren(...cards);
}

async function showAppearances() {
  const { appearances } = await call("/api/appearances");
  byId("appearance").append(
    ...appearances.map(({ id, label }) => element("option", { value: id, textContent: label })),
  );
}

function showPhoto(file) {
  const thumbnail = byId("thumbnail");
  URL.revokeObjectURL(thumbnail.src);
  thumbnail.hidden = !file;
  thumbnail.onerror = () => { thumbnail.hidden = true; }; // not every browser shows HEIC
  if (file) {
    thumbnail.src = URL.createObjectURL(file);
    byId("photo-hint").replaceChildren(element("strong", { textContent: file.name }));
  }
}

function complain(message) {
  byId("problem").textContent = message;
  byId("problem").hidden = false;
  byId("problem").scrollIntoView({ block: "nearest" });
}

function showProgress(status) {
  byId("progress").hidden = FINAL.has(status.status);
  byId("bar").value = status.progress;
  const rest = status.estimated_remaining_seconds;
  byId("progress-step").textContent =
    `${status.current_step || "Waiting for a painter"} · ${status.pages_completed} of ` +
    `${status.total_pages} pages` + (rest ? ` · about ${rest} s left` : "");
}

/** Follow the job's events to its end; resolves with its last state. */
function follow(accepted, onChange) {
  return new Promise((resolve, reject) => {
    const url = `${here(accepted.events_url)}?access_token=${encodeURIComponent(accepted.access_token)}`;
    const events = new EventSource(url);
    const take = (event) => {
      const status = JSON.parse(event.data);
      onChange(status);
      if (FINAL.has(status.status)) {
        events.close();
        resolve(status);
      }
    };
    events.onmessage = take;
    events.addEventListener("status", take);
    events.onerror = () => {
      if (events.readyState === EventSource.CLOSED) {
        reject(new ProblemError("The progress can't be followed any more. Please try again."));
      }
    };
  });
}

function pageFigure(page, draft) {
  const figure = element(
    "figure",
    { className: "page", id: `page-${page.page_number}` },
    element("img", { src: page.image_url, alt: `Page ${page.page_number}: ${page.story_text}` }),
    element("figcaption", { textContent: page.story_text }),
  );
  if (draft) {
    figure.append(element("span", { className: "badge", textContent: "Draft look" }));
  }
  return figure;
}

async function showResult(accepted) {
  const preview = await call(here(accepted.preview_url), {
    headers: { Authorization: `Bearer ${accepted.access_token}` },
  });
  byId("story-title").textContent = preview.story_title;
  byId("story-label").textContent = preview.label ?? "";
  byId("story-label").hidden = !preview.label;
  const ready = preview.preview_pages.filter((page) => page.image_url);
  // Links differ from answer to answer: a page that is there already isn't loaded again.
  for (const page of ready.filter((one) => !document.getElementById(`page-${one.page_number}`))) {
    byId("pages").append(pageFigure(page, preview.draft));
  }
  byId("story-rest").textContent = preview.locked_pages_count
    ? `${preview.locked_pages_count} more pages in the book, for ${preview.purchase.price_formatted}.`
    : "";
  byId("result").hidden = ready.length === 0;
  byId("purchase").hidden = preview.status !== "active";
  byId("purchase").onsubmit = (event) => {
    event.preventDefault();
    byId("problem").hidden = true;
    buy(accepted).catch((error) => complain(error.message));
  };
}

async function order(form) {
  const photo = form.photo.files[0];
  const book = form.querySelector("input[name=book_id]:checked");
  if (!photo || !book || !form.child_name.value.trim()) {
    throw new ProblemError("Please choose a photo and a story, and write the name.");
  }
  if (!form.consent.checked) {
    throw new ProblemError("Please tick the box beneath “Your consent”: without it no photo is taken.");
  }
  const upload = new FormData();
  upload.append("file", photo);
  upload.append("consent", form.consent.value);
  byId("progress").hidden = false;
  byId("bar").removeAttribute("value");
  byId("progress-step").textContent = "Looking at the photo";
  const taken = await call("/api/upload-photo", { method: "POST", body: upload });
  const accepted = await call("/api/preview", {
    method: "POST",
    headers: { "Content-Type": "application/json", "Idempotency-Key": crypto.randomUUID?.() ?? `${Date.now()}` },
    body: JSON.stringify({
      photo_id: taken.photo_id,
      book_id: book.value,
      child_name: form.child_name.value.trim(),
      appearance: form.appearance.value || null,
    }),
  });
  let painted = 0;
  const last = await follow(accepted, (status) => {
    showProgress(status);
    if (status.pages_completed > painted && !FINAL.has(status.status)) {
      painted = status.pages_completed;
      showResult(accepted).catch(() => {}); // the last look, below, tells what went wrong
    }
  });
  await showResult(accepted);
  if (last.status !== "completed") {
    throw new ProblemError(last.error?.message ?? "Not every page could be painted.");
  }
}

byId("photo").addEventListener("change", (event) => showPhoto(event.target.files[0]));

byId("order").addEventListener("submit", async (event) => {
  event.preventDefault();
  const go = byId("go");
  go.disabled = true;
  byId("problem").hidden = true;
  byId("result").hidden = true;
  byId("pages").replaceChildren();
  try {
    await order(event.target);
  } catch (error) {
    complain(error instanceof ProblemError ? error.message : "Something went wrong on this page.");
  } finally {
    byId("progress").hidden = true;
    go.disabled = false;
  }
});

for (const show of [showBooks, showAppearances]) {
  show().catch((error) => complain(error.message));
}
