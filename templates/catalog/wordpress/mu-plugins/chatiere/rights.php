<?php
/** Who may enter this site at present, in the panel's words: a file beside the public key, which the worker keeps up to date. */

defined('ABSPATH') || exit;

/** How long an entry is believed before the person has to be on the list, which is some seconds behind; in seconds. */
const CHATIERE_LIST_DELAY = 45;

/** Whether the person of a linked account may be in by a session that began then. */
function chatiere_has_right(int $id, int $began): bool
{
    $list = chatiere_people();
    if ($list === null) {
        return true; // a site that was not given a list yet
    }
    $listed = (string) get_user_meta($id, CHATIERE_ISSUER, true) === $list['issuer']
        ? $list['people'][(string) get_user_meta($id, CHATIERE_SUBJECT, true)] ?? null
        : null;
    if ($listed === null) {
        return time() - $began < CHATIERE_LIST_DELAY;
    }
    return $began > $listed; // they, or the co-op, ended all their sessions then
}

/** @return array{issuer: string, people: array<string, int>}|null */
function chatiere_people(): ?array
{
    static $list = false;
    if ($list === false) {
        $path = dirname((string) getenv('SECRET_KEY_FILE')) . '/people.json';
        $read = is_readable($path) ? json_decode((string) file_get_contents($path), true) : null;
        $list = is_string($read['issuer'] ?? null) && is_array($read['people'] ?? null) ? $read : null;
    }
    return $list;
}
