import { start } from "./app.js";
import * as browser from "./browser.js";

start(browser);
