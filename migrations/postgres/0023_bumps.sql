-- Where the newest event of a room is by which the room rises in lists; zero where it has none.
ALTER TABLE rooms ADD COLUMN bump_position BIGINT NOT NULL DEFAULT 0;
UPDATE rooms SET bump_position = COALESCE(
    (SELECT MAX(events.position) FROM events JOIN types ON types.type_sn = events.type_sn
     WHERE events.room_sn = rooms.room_sn AND types.name IN ('m.room.create', 'm.room.message',
         'm.room.encrypted', 'm.sticker', 'm.call.invite', 'm.poll.start', 'm.beacon_info',
         'org.matrix.msc3381.poll.start', 'org.matrix.msc3672.beacon_info')), 0);
