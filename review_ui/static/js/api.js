/**
 * Requests to our own server: JSON in and out, CSRF token, errors as sentences.
 */

export class ServerError extends Error {
  /**
   * @param {string} message  a sentence for the person at the screen
   * @param {number} status  HTTP status, 0 when the server was not reached
   * @param {Record<string, unknown>} [body]
   */
  constructor(message, status, body = {}) {
    super(message);
    this.status = status;
    this.body = body;
    /** Trying the same again cannot help. An ended login can be renewed in another tab. */
    this.permanent = status >= 400 && status < 500 && ![401, 408, 429].includes(status);
  }
}

let csrfToken = document.querySelector('meta[name="csrf-token"]')?.getAttribute("content") ?? "";

/**
 * @param {string} url
 * @returns {Promise<any>}
 */
export async function getJson(url) {
  return (await request(url, { method: "GET" })).json();
}

/**
 * @param {string} url
 * @param {unknown} body
 * @param {{keepalive?: boolean}} [options]  keepalive: finish even while the page goes away
 * @returns {Promise<any>}
 */
export async function postJson(url, body, { keepalive = false } = {}) {
  const send = () =>
    request(url, {
      method: "POST",
      keepalive,
      headers: { "Content-Type": "application/json", "X-CSRFToken": csrfToken },
      body: JSON.stringify(body),
    });
  try {
    return (await send()).json();
  } catch (error) {
    if (kindOf(error) !== "csrf" || keepalive) throw error;
    // The session was renewed, perhaps by a new login in another tab: take its token, once.
    csrfToken = (await getJson("/api/session")).csrf_token;
    return (await send()).json();
  }
}

/**
 * @param {string} url
 * @param {RequestInit} options
 * @returns {Promise<Response>} only successful ones
 */
export async function request(url, options) {
  /** @type {Response} */
  let response;
  try {
    response = await fetch(url, {
      credentials: "same-origin",
      redirect: "error",
      ...options,
      headers: { Accept: "application/json", ...options.headers },
    });
  } catch {
    throw new ServerError("The server does not answer.", 0);
  }
  if (response.ok) return response;
  const body = await response.json().catch(() => ({}));
  const message = body.error?.message ?? `The server answered ${response.status}.`;
  throw new ServerError(message, response.status, body);
}

/** What the server calls an error; undefined for any other. @param {unknown} error */
export function kindOf(error) {
  if (!(error instanceof ServerError)) return undefined;
  return /** @type {{kind?: string} | undefined} */ (error.body.error)?.kind;
}
