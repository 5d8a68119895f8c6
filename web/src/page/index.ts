export { ask, askJson, download, FORMATS, remember } from "./api.js";
export { Live } from "./live.js";
