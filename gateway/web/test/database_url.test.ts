import { describe, expect, it } from "vitest";

import { hasPassword, withoutSecrets } from "../src/database_url";

describe("what is kept of a database's URL", () => {
  it.each([
    ["postgresql://ann:s3cret@host:5432/shop?sslmode=require", "postgresql://ann@host:5432/shop?sslmode=require"],
    ["postgresql://ann:a@b:c@host/shop", "postgresql://ann@host/shop"],
    ["postgresql://ann@host/shop", "postgresql://ann@host/shop"],
    ["postgresql://host:5432/shop", "postgresql://host:5432/shop"],
    ["sqlite:///shop.db", "sqlite:///shop.db"],
    ["env:SHOP_URL", "env:SHOP_URL"],
    ["postgresql://ann:s3cret", ""],
    ["postgresql://host/shop?user=ann&password=s3cret", ""],
    ["snowflake://ann@account/shop?private_key=s3cret", ""],
  ])("%s", (url, kept) => {
    expect(withoutSecrets(url)).toBe(kept);
    expect(kept).not.toContain("s3cret");
  });

  it("hides a password that is being typed, and no port", () => {
    expect(hasPassword("postgresql://ann:s")).toBe(true);
    expect(hasPassword("postgresql://host:5432/shop")).toBe(false);
    expect(hasPassword("postgresql://host:5432")).toBe(false);
  });
});
