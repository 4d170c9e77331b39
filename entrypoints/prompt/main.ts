import "../../src/ui/styles.css";
import { mount } from "svelte";
import { prepareDocument } from "../../src/ui/document.ts";
import App from "./App.svelte";

prepareDocument();
const target = document.getElementById("app");
if (target !== null) mount(App, { target });
