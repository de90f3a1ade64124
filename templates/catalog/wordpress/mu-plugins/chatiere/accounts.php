<?php
/**
 * The accounts of people who come in from the panel. An account is linked to a
 * person by the identity provider's name and the person's id there, never by an
 * address, which anybody can write into an account of theirs.
 */

defined('ABSPATH') || exit;

const CHATIERE_SUBJECT = 'chatiere_subject';
const CHATIERE_ISSUER = 'chatiere_issuer';
/** The name that the person had when they last entered: one they chose here since stays. */
const CHATIERE_NAME = 'chatiere_name';

/** What the panel calls a role, and what it is here. A role that isn't listed lets nobody in. */
const CHATIERE_ROLES = ['administrator' => 'administrator'];

/** A verified address of the person that another account has. */
const CHATIERE_WANTED = 'chatiere_wanted_address';

/** Widths of WordPress's columns; what is longer makes wp_insert_user fail without an error. */
const CHATIERE_LONGEST_NAME = 250;
const CHATIERE_LONGEST_ADDRESS = 100;

/** The account of whom the panel vouches for, created if need be, with the role, name and address they have now. */
function chatiere_account(array $claims): WP_User
{
    $role = CHATIERE_ROLES[$claims['role']] ?? throw new Chatiere_Refusal('unknown');
    // Two first entries at once must not make two accounts; the lock goes with the process at the latest.
    $lock = fopen((getenv('DATA_DIR') ?: '/data') . '/.accounts.lock', 'c');
    if ($lock === false || !flock($lock, LOCK_EX)) {
        throw new RuntimeException('the lock of the accounts cannot be taken');
    }
    try {
        $user = chatiere_linked($claims['sub_iss'], $claims['sub']) ?? chatiere_relinked($claims) ?? chatiere_created($claims, $role);
        chatiere_follow($user, $claims);
    } finally {
        fclose($lock);
    }
    $user = new WP_User($user->ID);
    if (!in_array($role, $user->roles, true)) {
        $user->set_role($role);
    }
    return $user;
}

function chatiere_linked(string $issuer, string $subject): ?WP_User
{
    foreach (get_users(['meta_key' => CHATIERE_SUBJECT, 'meta_value' => $subject, 'orderby' => 'ID']) as $user) {
        // Compared again: the database's collation ignores case.
        if (chatiere_identity($user->ID) === chatiere_identity_of($issuer, $subject)) {
            return $user;
        }
    }
    return null;
}

/**
 * The account that is linked to a former identity of the person: of another realm, as the co-op's volunteers say, or of
 * the time when the issuer was not stored. Then an address was enough to link an account, so somebody else may hold keys.
 */
function chatiere_relinked(array $claims): ?WP_User
{
    foreach ([...$claims['former'], ['iss' => '', 'sub' => $claims['sub']]] as $former) {
        $user = chatiere_linked($former['iss'], $former['sub']);
        if ($user) {
            chatiere_link($user, $claims['sub_iss'], $claims['sub']);
            return $user;
        }
    }
    return null;
}

function chatiere_created(array $claims, string $role): WP_User
{
    $created = wp_insert_user(wp_slash([
        'user_login' => chatiere_free_login($claims),
        'user_pass' => wp_generate_password(64, true, true),
        'user_email' => '',
        'display_name' => chatiere_name($claims),
        'nickname' => chatiere_name($claims),
        'role' => $role,
        'meta_input' => [CHATIERE_SUBJECT => $claims['sub'], CHATIERE_ISSUER => $claims['sub_iss'], CHATIERE_NAME => $claims['name']],
    ]));
    // Without an id and without an error: the database refused a value.
    if (is_wp_error($created) || $created === 0) {
        throw new RuntimeException('creating an account: ' . (is_wp_error($created) ? $created->get_error_message() : 'the database refused it'));
    }
    return new WP_User($created);
}

function chatiere_name(array $claims): string
{
    return mb_substr($claims['name'], 0, CHATIERE_LONGEST_NAME);
}

function chatiere_free_login(array $claims): string
{
    $wish = strstr($claims['email'], '@', true) ?: $claims['name'];
    $base = substr(trim(strtolower((string) preg_replace('/[^A-Za-z0-9._-]+/', '-', remove_accents($wish))), '-._'), 0, 40) ?: 'membre';
    for ($n = 1, $login = $base; username_exists($login); $login = "$base-" . ++$n) {
    }
    return $login;
}

/** Name and address follow the person. */
function chatiere_follow(WP_User $user, array $claims): void
{
    $changes = [];
    if (get_user_meta($user->ID, CHATIERE_NAME, true) !== $claims['name']) {
        $changes['display_name'] = $changes['nickname'] = chatiere_name($claims);
        update_user_meta($user->ID, CHATIERE_NAME, wp_slash($claims['name']));
    }
    $address = chatiere_address($user, $claims['email']);
    if ($address !== $user->user_email) {
        $changes['user_email'] = $address;
    }
    if ($address === '' && $claims['email'] !== '') {
        update_user_meta($user->ID, CHATIERE_WANTED, wp_slash($claims['email']));
    } else {
        delete_user_meta($user->ID, CHATIERE_WANTED);
    }
    chatiere_update($user->ID, $changes);
}

/**
 * What the account's address has to be. WordPress wants each address once. One that an unlinked account has stays there,
 * and this account has none: a former address of theirs may be somebody else's by now.
 */
function chatiere_address(WP_User $user, string $address): string
{
    if ($address === '' || strlen($address) > CHATIERE_LONGEST_ADDRESS) {
        return $user->user_email; // none that counts
    }
    $holder = get_user_by('email', $address);
    if (!$holder || $holder->ID === $user->ID) {
        return $address;
    }
    // Another person's is a former address of theirs; the present one comes when they enter. The installation's is nobody's.
    if (!chatiere_is_linked($holder) && !chatiere_is_of_the_installation($holder)) {
        return '';
    }
    chatiere_update($holder->ID, ['user_email' => '']);
    return $address;
}

function chatiere_update(int $id, array $changes): void
{
    if ($changes === []) {
        return;
    }
    // The notice of a changed address would go to the former one, which may be somebody else's.
    add_filter('send_email_change_email', '__return_false', PHP_INT_MAX);
    $updated = wp_update_user(wp_slash(['ID' => $id] + $changes));
    remove_filter('send_email_change_email', '__return_false', PHP_INT_MAX);
    if (is_wp_error($updated)) {
        throw new RuntimeException('updating an account: ' . $updated->get_error_message());
    }
}

/** Whose account this is, as one string; '' for one that is nobody's at the co-op. */
function chatiere_identity(int $id): string
{
    $subject = (string) get_user_meta($id, CHATIERE_SUBJECT, true);
    return $subject === '' ? '' : chatiere_identity_of((string) get_user_meta($id, CHATIERE_ISSUER, true), $subject);
}

function chatiere_identity_of(string $issuer, string $subject): string
{
    return "$issuer $subject";
}

/** The account that the site was made with. Nobody uses it: its password lies in the site's secrets. */
function chatiere_is_of_the_installation(WP_User $user): bool
{
    return $user->ID === 1 && $user->user_login === 'chatiere';
}

/** Whether an account's only door is the panel. */
function chatiere_is_linked($user): bool
{
    return $user instanceof WP_User && $user->ID > 0 && chatiere_identity($user->ID) !== '';
}

/** Links an account that somebody may hold keys to, and revokes them all. */
function chatiere_link(WP_User $user, string $issuer, string $subject): void
{
    update_user_meta($user->ID, CHATIERE_ISSUER, wp_slash($issuer));
    update_user_meta($user->ID, CHATIERE_SUBJECT, wp_slash($subject));
    wp_set_password(wp_generate_password(64, true, true), $user->ID); // and no reset key
    WP_Session_Tokens::get_instance($user->ID)->destroy_all();
    WP_Application_Passwords::delete_all_application_passwords($user->ID);
    delete_user_meta($user->ID, '_new_email'); // an address that waits to be confirmed
}

function chatiere_french(): bool
{
    return str_starts_with(determine_locale(), 'fr');
}
