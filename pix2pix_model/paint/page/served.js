import { start } from "./app.js";
import * as server from "./server.js";

start(server);
