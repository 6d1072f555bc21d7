/** The window onto the graph: drag to move, buttons, keys or Ctrl-wheel to zoom. Knows sizes, no cells. */

import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

const STEP = 1.25;
const SMALLEST = 0.1;
const LARGEST = 4;
const EDGE = 4; // px left free around a drawing that fits
const WHEEL = 0.002; // zoom per pixel of a wheel

interface PaneProps {
  width: number; // px of the drawing at zoom 1
  height: number;
  view: string;
  children: ComponentChildren;
}

export function Pane({ width, height, view, children }: PaneProps) {
  const zoom = useSignal(1);
  const pane = useRef<HTMLDivElement>(null);
  const anchor = useRef<{ x: number; y: number; atX: number; atY: number } | undefined>(undefined);
  const drag = useRef<{ x: number; y: number; left: number; top: number } | undefined>(undefined);

  /** The point of the drawing under (x, y) of the pane stays where it is. */
  const zoomTo = (wanted: number, x?: number, y?: number) => {
    const place = pane.current!;
    const next = clamped(wanted);
    const atX = x ?? place.clientWidth / 2;
    const atY = y ?? place.clientHeight / 2;
    anchor.current = { x: (place.scrollLeft + atX) / zoom.peek(), y: (place.scrollTop + atY) / zoom.peek(), atX, atY };
    zoom.value = next;
  };
  const fit = () => {
    const place = pane.current!;
    // Offset sizes: bars for scrolling, if there are any now, will be gone.
    zoomTo(Math.min((place.offsetWidth - EDGE) / width, (place.offsetHeight - EDGE) / height), 0, 0);
  };
  useLayoutEffect(() => {
    const { current: place } = pane;
    const { current: at } = anchor;
    anchor.current = undefined;
    if (place && at) place.scrollTo(at.x * zoom.value - at.atX, at.y * zoom.value - at.atY);
  }, [zoom.value]);

  const wheel = (event: WheelEvent) => {
    if (!event.ctrlKey && !event.metaKey) return; // a plain wheel scrolls
    event.preventDefault();
    const box = pane.current!.getBoundingClientRect();
    zoomTo(zoom.peek() * Math.exp(-event.deltaY * WHEEL), event.clientX - box.left, event.clientY - box.top);
  };
  const grab = (event: PointerEvent) => {
    if (event.button !== 0 || (event.target as Element).closest(".node")) return;
    const place = pane.current!;
    drag.current = { x: event.clientX, y: event.clientY, left: place.scrollLeft, top: place.scrollTop };
    place.setPointerCapture(event.pointerId);
  };
  const pull = (event: PointerEvent) => {
    const { current: from } = drag;
    if (from) pane.current!.scrollTo(from.left + from.x - event.clientX, from.top + from.y - event.clientY);
  };
  const keyed = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "+" || event.key === "=") zoomTo(zoom.peek() * STEP);
    else if (event.key === "-") zoomTo(zoom.peek() / STEP);
    else if (event.key === "0") fit();
    else return;
    event.preventDefault();
  };
  return (
    <>
      <p class="row zoom" role="group" aria-label="Zoom">
        <button aria-label="Smaller" onClick={() => zoomTo(zoom.peek() / STEP)}>−</button>
        <button aria-label="Larger" onClick={() => zoomTo(zoom.peek() * STEP)}>+</button>
        <button onClick={fit}>Fit</button>
        <output>{Math.round(zoom.value * 100)} %</output>
      </p>
      <div
        class="drawing" ref={pane} tabIndex={0} role="group" aria-label="Graph of the cells; arrow keys go from cell to cell, + and − zoom"
        onWheel={wheel} onPointerDown={grab} onPointerMove={pull} onPointerUp={() => (drag.current = undefined)}
        onPointerCancel={() => (drag.current = undefined)} onKeyDown={keyed}
      >
        <svg viewBox={`0 0 ${width} ${height}`} width={width * zoom.value} height={height * zoom.value} class="graph" data-view={view}>
          {children}
        </svg>
      </div>
    </>
  );
}

export function clamped(zoom: number): number {
  return Math.min(LARGEST, Math.max(SMALLEST, zoom));
}
