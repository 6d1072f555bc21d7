import { expect, test } from "vitest";

import { borrowKey, lendKey } from "../src/key_loan";

test("a tab without a key waits and gets none when nobody has one", async () => {
  expect(await borrowKey(20)).toBeUndefined();
});

test("a tab with a key lends it, one without stays silent", async () => {
  const held: { key?: string } = {};
  lendKey(() => held.key);
  expect(await borrowKey(20)).toBeUndefined();
  held.key = "secret";
  expect(await borrowKey(2_000)).toBe("secret");
});
