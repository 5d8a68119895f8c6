// What is known about the model and this visitor: role, labels, detector, history. main.js fills it when the page opens.
export const about = {};
