/** Signature and documentation are found in the text that IPython gives, whatever else it holds. */

import { expect, it } from "vitest";

import { helpIn } from "../src/name_card";

const RED = "\u001b[31m";
const PLAIN = "\u001b[39m";

it("takes signature and docstring, over several lines and without colours", () => {
  const text = `${RED}Signature:${PLAIN} area(width,\n  height=2)\n${RED}Docstring:${PLAIN}\nWidth times height.\n\nType: not a title inside?\n${RED}File:${PLAIN}      n.py\n${RED}Type:${PLAIN}      function`;
  expect(helpIn(text)?.signature).toBe("area(width,\n  height=2)");
  expect(helpIn(text)?.docstring).toContain("Width times height.");
  expect(helpIn(text)?.docstring).not.toContain("n.py");
});

it("takes that of the class when the object has none of its own", () => {
  expect(helpIn("Init signature: C(x)\nDocstring:      <no docstring>\nType:           type")).toEqual({ signature: "C(x)" });
  expect(helpIn("Type:            Thing\nString form:     <Thing>\nClass docstring: A thing.")).toEqual({ docstring: "A thing." });
});

it("finds nothing where there is nothing", () => {
  expect(helpIn("")).toBeUndefined();
  expect(helpIn("Type:        int\nString form: 1\nDocstring:   <no docstring>")).toBeUndefined();
});
