/** What may stand in the page of a database's URL: all of it but what is secret. */

const PASSWORD = /^([^:/?#]+:\/\/[^:/@\s]*):[^/\s]*@/; // scheme://user:x@
const SECRET_FIELDS = /[?&][^=&]*(?:pass|pwd|secret|token|key)[^=&]*=/i;

/** Whether the text holds a password, or begins to: the at-sign may still be missing. */
export function hasPassword(url: string): boolean {
  return /^[^:/?#]+:\/\/[^/@\s]*:[^/\s]/.test(url) && !/^[^:/?#]+:\/\/[^/@\s:]+:\d{1,5}(?:[/?#]|$)/.test(url);
}

/** The URL without its password; empty where something secret may be left. */
export function withoutSecrets(url: string): string {
  const open = url.replace(PASSWORD, "$1@");
  return hasPassword(open) || SECRET_FIELDS.test(open) ? "" : open;
}
