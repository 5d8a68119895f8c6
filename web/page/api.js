// On this device there is no server to ask.
export { ask, askJson, download, FORMATS, remember } from "./device.js";
