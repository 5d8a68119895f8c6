// On this device the model looks at the camera itself.
export { Live } from "./device.js";
