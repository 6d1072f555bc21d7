/** Pictures. An SVG is shown as an image, so that a script in it cannot run. */

import { asText, type Draw, type DrawContext } from "./registry";

export const drawImage: Draw = (into, value, context) => show(into, `data:${context.mime};base64,${asText(value).trim()}`, context);

export const drawSvg: Draw = (into, value, context) =>
  show(into, `data:image/svg+xml;charset=utf-8,${encodeURIComponent(asText(value))}`, context);

function show(into: HTMLElement, source: string, { plain, metadata, mime }: DrawContext): undefined {
  const image = document.createElement("img");
  image.src = source;
  image.alt = plain === "" ? "Picture" : plain;
  const size = { ...metadata, ...(metadata[mime] as object | undefined) } as { width?: unknown; height?: unknown };
  if (typeof size.width === "number") image.width = size.width;
  if (typeof size.height === "number") image.height = size.height;
  into.append(image);
  return undefined;
}
