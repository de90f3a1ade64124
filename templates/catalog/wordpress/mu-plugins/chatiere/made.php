<?php
/**
 * What people leave behind in the site: accounts that are not of the co-op, which
 * they created, changed or gave keys to. The hook "accounts" tells the worker, so
 * that the co-op sees it when somebody's right ends.
 */

defined('ABSPATH') || exit;

/** On an account that is nobody's at the co-op: the identities of those who had it in their hands. */
const CHATIERE_TOUCHED_BY = 'chatiere_touched_by';

function chatiere_note_touch(int $id): void
{
    $by = chatiere_identity(get_current_user_id());
    if ($by === '' || chatiere_identity($id) !== '' || in_array($by, get_user_meta($id, CHATIERE_TOUCHED_BY), true)) {
        return;
    }
    add_user_meta($id, CHATIERE_TOUCHED_BY, wp_slash($by));
}

foreach (['user_register', 'profile_update', 'set_user_role', 'add_user_role', 'wp_create_application_password'] as $chatiere_act) {
    add_action($chatiere_act, static fn ($id) => chatiere_note_touch((int) $id), PHP_INT_MAX, 1);
}
add_action('wp_set_password', static fn ($password, $id) => chatiere_note_touch((int) $id), PHP_INT_MAX, 2);
