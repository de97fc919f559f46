// The page around the widget of Element Call, as Element Web is around it: a client of matrix-js-sdk does what the widget
// asks for. `element_call.mjs` bundles it, and calls what it puts into the window.

import "./quiet.mjs";
import { ClientEvent, RoomEvent, RoomStateEvent, createClient } from "matrix-js-sdk";
import { ClientWidgetApi, OpenIDRequestState, Widget, WidgetDriver, WidgetKind } from "matrix-widget-api";

/** What this host does not do for widgets: they are to ask the media server's service themselves. */
const NOT_HERE = /msc4533|sticky|msc2931|msc4039|turn_servers/;

class Driver extends WidgetDriver {
  constructor(client, room) {
    super();
    this.client = client;
    this.room = room;
  }

  async validateCapabilities(requested) {
    return new Set([...requested].filter((capability) => !NOT_HERE.test(capability)));
  }

  getKnownRooms() {
    return [this.room];
  }

  async sendEvent(type, content, key, room) {
    const roomId = room ?? this.room;
    const sent = key === null
      ? await this.client.sendEvent(roomId, type, content)
      : await this.client.sendStateEvent(roomId, type, content, key);
    return { roomId, eventId: sent.event_id };
  }

  async sendDelayedEvent(delay, type, content, key, room) {
    const roomId = room ?? this.room;
    const sent = key === null
      ? await this.client._unstable_sendDelayedEvent(roomId, { delay }, null, type, content)
      : await this.client._unstable_sendDelayedStateEvent(roomId, { delay }, type, content, key);
    globalThis.told("delayed", { type, delay, id: sent.delay_id });
    return { roomId, delayId: sent.delay_id };
  }

  async cancelScheduledDelayedEvent(id) {
    await this.client._unstable_cancelScheduledDelayedEvent(id);
  }

  async restartScheduledDelayedEvent(id) {
    await this.client._unstable_restartScheduledDelayedEvent(id);
    globalThis.told("restarted", { id });
  }

  async sendScheduledDelayedEvent(id) {
    await this.client._unstable_sendScheduledDelayedEvent(id);
  }

  async sendToDevice() {
    // The room is not encrypted, so there are no keys to hand out.
  }

  async readRoomTimeline(room, type, msgtype, key, limit) {
    const events = this.client.getRoom(room)?.getLiveTimeline().getEvents() ?? [];
    const fits = (event) => event.getType() === type && (key === undefined || event.getStateKey() === key)
      && (msgtype === undefined || event.getContent().msgtype === msgtype);
    return events.filter(fits).slice(-limit).map((event) => event.getEffectiveEvent());
  }

  async readRoomState(room, type, key) {
    const state = this.client.getRoom(room)?.currentState;
    const events = key === undefined ? state?.getStateEvents(type) : [state?.getStateEvents(type, key)];
    return (events ?? []).filter(Boolean).map((event) => event.getEffectiveEvent());
  }

  async readRoomAccountData() {
    return [];
  }

  async askOpenID(observer) {
    observer.update({ state: OpenIDRequestState.Allowed, token: await this.client.getOpenIdToken() });
  }

  async getRtcTransports() {
    const transports = await this.client._unstable_getRTCTransports();
    globalThis.told("transports", transports);
    return { rtc_transports: transports };
  }
}

/** Shows the widget of Element Call for this room, as this person. */
globalThis.call = async ({ baseUrl, userId, deviceId, accessToken, roomId, widget: from }) => {
  const client = createClient({ baseUrl, userId, deviceId, accessToken });
  await client.startClient({ initialSyncLimit: 20 });
  while (!client.getRoom(roomId)) await new Promise((later) => setTimeout(later, 50));
  const parameters = new URLSearchParams({
    widgetId: "call", parentUrl: location.origin + location.pathname, userId, deviceId, roomId, baseUrl,
    lang: "en", theme: "light", intent: "start_call", skipLobby: "true", confineToRoom: "true", appPrompt: "false",
    hideHeader: "true", perParticipantE2EE: "false", preload: "false", returnToLobby: "false",
  });
  const widget = new Widget({
    id: "call", creatorUserId: userId, type: "m.call", name: "Call", waitForIframeLoad: false,
    url: `${from}#?${parameters}`,
  });
  const frame = document.createElement("iframe");
  frame.allow = "camera; microphone; autoplay; display-capture";
  frame.style = "width: 1000px; height: 700px; border: 0";
  document.body.append(frame);
  const api = new ClientWidgetApi(widget, frame, new Driver(client, roomId));
  api.setViewedRoomId(roomId);
  // What the widget tells its host beyond the specification: it is heard.
  const emit = api.emit.bind(api);
  api.emit = (name, ...given) => {
    if (typeof name === "string" && name.startsWith("action:")) {
      const [action] = given;
      globalThis.told(name, action?.detail?.data ?? {});
      if (/io\.element|hangup|always_on_screen/.test(name)) {
        action.preventDefault();
        api.transport.reply(action.detail, name.endsWith("always_on_screen") ? { success: true } : {});
        return true;
      }
    }
    return emit(name, ...given);
  };
  client.on(RoomEvent.Timeline, (event) => void api.feedEvent(event.getEffectiveEvent()).catch(() => undefined));
  client.on(RoomStateEvent.Events, (event) => void api.feedStateUpdate(event.getEffectiveEvent()).catch(() => undefined));
  client.on(ClientEvent.ToDeviceEvent, (event) =>
    void api.feedToDevice({ type: event.getType(), sender: event.getSender(), content: event.getContent() }, false));
  frame.src = widget.getCompleteUrl({ widgetRoomId: roomId, currentUserId: userId, deviceId }, location.origin);
  return WidgetKind.Room;
};
