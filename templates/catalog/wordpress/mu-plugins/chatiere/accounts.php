<?php
/**
 * The accounts of people who come in from the panel. The account is found by the
 * person's id there, which never changes, and is made on the first entry with a
 * password that nobody knows: the panel is its door.
 */

defined('ABSPATH') || exit;

const CHATIERE_SUBJECT = 'chatiere_subject';

/** What the panel calls a role, and what it is here. A role that isn't listed lets nobody in. */
const CHATIERE_ROLES = ['administrator' => 'administrator'];

/** The account of whom the panel vouches for, made or linked if need be, with the role they have now. */
function chatiere_account(array $claims): WP_User
{
    $role = CHATIERE_ROLES[$claims['role']] ?? throw new Chatiere_Refusal('unknown');
    // Two first entries at once must not make two accounts; the lock goes with the process at the latest.
    $lock = fopen((getenv('DATA_DIR') ?: '/data') . '/.accounts.lock', 'c');
    if ($lock === false || !flock($lock, LOCK_EX)) {
        throw new RuntimeException('the lock of the accounts cannot be taken');
    }
    try {
        $user = chatiere_linked($claims['sub']) ?? chatiere_adopted($claims) ?? chatiere_made($claims, $role);
    } finally {
        fclose($lock);
    }
    if (!in_array($role, $user->roles, true)) {
        $user->set_role($role);
    }
    return $user;
}

function chatiere_linked(string $subject): ?WP_User
{
    $found = get_users(['meta_key' => CHATIERE_SUBJECT, 'meta_value' => $subject, 'number' => 1, 'orderby' => 'ID']);
    return $found[0] ?? null;
}

/**
 * An account that bears the person's e-mail address and nobody's id yet becomes theirs: the one made with the site, or
 * that of somebody who worked here before. It gives them nothing they would not have: whoever comes in administers all
 * accounts.
 */
function chatiere_adopted(array $claims): ?WP_User
{
    $user = $claims['email'] === '' ? false : get_user_by('email', $claims['email']);
    if (!$user || get_user_meta($user->ID, CHATIERE_SUBJECT, true) !== '') {
        return null;
    }
    update_user_meta($user->ID, CHATIERE_SUBJECT, wp_slash($claims['sub']));
    return $user;
}

function chatiere_made(array $claims, string $role): WP_User
{
    $made = wp_insert_user(wp_slash([
        'user_login' => chatiere_free_login($claims),
        'user_pass' => wp_generate_password(64, true, true),
        'user_email' => email_exists($claims['email']) ? '' : $claims['email'],
        'display_name' => $claims['name'],
        'nickname' => $claims['name'],
        'role' => $role,
        'meta_input' => [CHATIERE_SUBJECT => $claims['sub']],
    ]));
    if (is_wp_error($made)) {
        throw new RuntimeException('making an account: ' . $made->get_error_message());
    }
    return new WP_User($made);
}

function chatiere_free_login(array $claims): string
{
    $wish = strstr($claims['email'], '@', true) ?: $claims['name'];
    $base = substr(trim(strtolower((string) preg_replace('/[^A-Za-z0-9._-]+/', '-', remove_accents($wish))), '-._'), 0, 40) ?: 'membre';
    for ($n = 1, $login = $base; username_exists($login); $login = "$base-" . ++$n) {
    }
    return $login;
}

/** Whether an account's door is the panel. */
function chatiere_is_linked($user): bool
{
    return $user instanceof WP_User && get_user_meta($user->ID, CHATIERE_SUBJECT, true) !== '';
}

// Whoever lost their rights at the panel must not come back by a password of their own making.
add_filter('show_password_fields', static fn ($show, $user = null): bool => $show && !chatiere_is_linked($user), 10, 2);
add_filter('allow_password_reset', static function ($allow, $id) {
    if (!chatiere_is_linked(get_userdata($id))) {
        return $allow;
    }
    return new WP_Error('chatiere_panel', chatiere_french()
        ? 'Ce compte n’a pas de mot de passe : on y entre depuis son espace d’association.'
        : 'This account has no password: it is entered from the association’s own pages.');
}, 10, 2);

function chatiere_french(): bool
{
    return str_starts_with(determine_locale(), 'fr');
}
