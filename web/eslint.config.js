import js from "@eslint/js";
import globals from "globals";
import ts from "typescript-eslint";

export default ts.config(
  { ignores: ["dist/", "build/"] },
  js.configs.recommended,
  {
    files: ["src/**/*.ts", "test/**/*.ts"],
    extends: [ts.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      "@typescript-eslint/no-non-null-assertion": "off",
    },
  },
  { files: ["**/*.mjs", "*.js"], languageOptions: { globals: globals.node } },
  { files: ["page/**/*.js"], languageOptions: { globals: { ...globals.browser, ...globals.serviceworker } } },
  { rules: { "prefer-const": "error", eqeqeq: "error", "no-console": "error" } },
);
