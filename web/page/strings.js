// The served page's words, and others where this device stands for the server.
import { S, language } from "./strings_server.js";

export * from "./strings_server.js";

const HERE = {
  en: {
    consent_stays: "Pictures stay on this device. The model runs in this page; no picture and no figure is sent anywhere.",
    consent_keep: "Keep figures, one row a second, in this browser's storage. Never pictures. I can export and delete them.",
    who_alone: "Everyone who can use this browser can see, export and delete the history.",
    state_connecting: "Loading the model",
    state_live: "Live, on this device",
    state_again: "Not running",
    delete_all_ask: "Delete every session in this browser? This cannot be undone.",
    drop_small: "JPEG, PNG or WebP. They are recognised on this device and forgotten.",
    footer: "mien recognises expressions, not feelings. Everything runs on this device; no picture leaves it.",
    error_camera_insecure: "Browsers give a camera only to pages over HTTPS or on the same machine. Open this page over HTTPS.",
    error_frames: (detail) => `The camera's pictures cannot be read here. ${detail}`,
  },
  de: {
    consent_stays: "Bilder bleiben auf diesem Gerät. Das Modell läuft in dieser Seite; kein Bild und keine Zahl wird irgendwohin gesendet.",
    consent_keep: "Zahlen behalten, eine Zeile je Sekunde, im Speicher dieses Browsers. Niemals Bilder. Ich kann sie exportieren und löschen.",
    who_alone: "Alle, die diesen Browser benutzen können, können den Verlauf sehen, exportieren und löschen.",
    state_connecting: "Lädt das Modell",
    state_live: "Live, auf diesem Gerät",
    state_again: "Läuft nicht",
    delete_all_ask: "Alle Sitzungen in diesem Browser löschen? Das lässt sich nicht rückgängig machen.",
    drop_small: "JPEG, PNG oder WebP. Sie werden auf diesem Gerät erkannt und vergessen.",
    footer: "mien erkennt Ausdrücke, keine Gefühle. Alles läuft auf diesem Gerät; kein Bild verlässt es.",
    error_camera_insecure: "Browser geben eine Kamera nur Seiten über HTTPS oder auf demselben Rechner. Öffnen Sie diese Seite über HTTPS.",
    error_frames: (detail) => `Die Bilder der Kamera lassen sich hier nicht lesen. ${detail}`,
  },
  es: {
    consent_stays: "Las imágenes se quedan en este dispositivo. El modelo funciona en esta página; no se envía ninguna imagen ni cifra.",
    consent_keep: "Guardar cifras, una fila por segundo, en este navegador. Nunca imágenes. Puedo exportarlas y borrarlas.",
    who_alone: "Cualquiera que pueda usar este navegador puede ver, exportar y borrar el historial.",
    state_connecting: "Cargando el modelo",
    state_live: "En vivo, en este dispositivo",
    state_again: "No funciona",
    delete_all_ask: "¿Borrar todas las sesiones de este navegador? No se puede deshacer.",
    drop_small: "JPEG, PNG o WebP. Se reconocen en este dispositivo y se olvidan.",
    footer: "mien reconoce expresiones, no sentimientos. Todo funciona en este dispositivo; ninguna imagen sale de él.",
    error_camera_insecure: "Los navegadores dan la cámara solo a páginas por HTTPS o en el mismo equipo. Abra esta página por HTTPS.",
    error_frames: (detail) => `Aquí no se pueden leer las imágenes de la cámara. ${detail}`,
  },
};

Object.assign(S, HERE[language]);
