import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["node_modules/", "src/protocol.ts"] },
  ...tseslint.configs.strict,
  ...tseslint.configs.stylistic,
  {
    rules: {
      "@typescript-eslint/no-non-null-assertion": "off", // allowed where the line above proves it
      "@typescript-eslint/consistent-type-definitions": "off",
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_", destructuredArrayIgnorePattern: "^_" }],
      "no-eval": "error",
      "no-implied-eval": "error",
      eqeqeq: "error",
      "prefer-const": "error",
      "max-lines": ["error", 500],
      "no-console": ["error", { allow: ["warn", "error"] }],
    },
  },
);
