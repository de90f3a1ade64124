<?php
/**
 * An account from before, or one with the person's address, becomes theirs: by its
 * own password, or by any administrator who came in from the panel, on the
 * account's page. Whatever else let into it is revoked.
 */

defined('ABSPATH') || exit;

const CHATIERE_CLAIM_PAGE = 'chatiere-claim';

/** Makes the old account the person's; what they wrote in the account they had goes to it. */
function chatiere_take_over(WP_User $old, WP_User $own): WP_User
{
    require_once ABSPATH . 'wp-admin/includes/user.php';
    [$issuer, $subject] = [get_user_meta($own->ID, CHATIERE_ISSUER, true), get_user_meta($own->ID, CHATIERE_SUBJECT, true)];
    $former = $own->user_email;
    chatiere_link($old, $issuer, $subject); // first: whatever ends this in between, the person has an account
    $role = CHATIERE_ROLES['administrator'];
    $old->set_role($role);
    wp_delete_user($own->ID, $old->ID);
    if ($former !== '') {
        chatiere_update($old->ID, ['user_email' => $former]);
    }
    return new WP_User($old->ID);
}

/** The old account of that name or address, if it can be claimed. */
function chatiere_claimable(string $login): ?WP_User
{
    $old = get_user_by('login', $login) ?: get_user_by('email', $login);
    return $old && !chatiere_is_linked($old) ? $old : null;
}

function chatiere_claim_words(): array
{
    return chatiere_french() ? [
        'title' => 'Reprendre un ancien compte',
        'what' => 'Un compte que vous aviez déjà sur ce site devient le vôtre, avec tout ce qu’il contient. Son mot de passe ne sert plus ensuite : vous entrez depuis votre espace.',
        'login' => 'Identifiant ou adresse de l’ancien compte',
        'password' => 'Son mot de passe',
        'button' => 'Reprendre ce compte',
        'wrong' => 'Aucun compte à reprendre n’a cet identifiant et ce mot de passe.',
        'taken' => 'Un autre compte de ce site, « %s », porte votre adresse : le vôtre n’en a donc pas, et n’en reçoit pas de courrier.',
        'claim' => 'S’il est à vous, reprenez-le',
        'give' => 'Relier ce compte à',
        'nobody' => 'Personne',
        'gives' => 'La personne le retrouve à sa prochaine entrée, avec ce qu’elle a écrit depuis. Ses mots de passe ne servent plus.',
    ] : [
        'title' => 'Claim an old account',
        'what' => 'An account that you already had on this site becomes yours, with everything in it. Its password is no longer good afterwards: you enter from your own pages.',
        'login' => 'User name or address of the old account',
        'password' => 'Its password',
        'button' => 'Claim this account',
        'wrong' => 'No account that can be claimed has this name and password.',
        'taken' => 'Another account of this site, “%s”, has your address, so yours has none and gets no mail.',
        'claim' => 'If it is yours, claim it',
        'give' => 'Link this account to',
        'nobody' => 'Nobody',
        'gives' => 'The person finds it when they enter next, with what they wrote since. Its passwords are no longer good.',
    ];
}

add_action('admin_menu', static function (): void {
    if (!chatiere_is_linked(wp_get_current_user())) {
        return;
    }
    $words = chatiere_claim_words();
    $page = add_users_page($words['title'], $words['title'], 'read', CHATIERE_CLAIM_PAGE, 'chatiere_claim_page');
    add_action("load-$page", 'chatiere_claim');
});

function chatiere_claim(): void
{
    if (($_SERVER['REQUEST_METHOD'] ?? '') !== 'POST') {
        return;
    }
    check_admin_referer(CHATIERE_CLAIM_PAGE);
    $given = array_map(static fn ($value): string => is_string($value) ? wp_unslash($value) : '', [$_POST['login'] ?? '', $_POST['password'] ?? '']);
    // No count of tries: who is here is an administrator, and could give the account any password.
    $old = chatiere_claimable(trim($given[0]));
    if (!$old || !wp_check_password($given[1], $old->user_pass, $old->ID)) {
        add_settings_error(CHATIERE_CLAIM_PAGE, 'wrong', chatiere_claim_words()['wrong']);
        return;
    }
    chatiere_let_in(chatiere_take_over($old, wp_get_current_user()));
    wp_safe_redirect(admin_url());
    exit;
}

function chatiere_claim_page(): void
{
    $words = chatiere_claim_words();
    $same = chatiere_same_address(wp_get_current_user());
    ?>
<div class="wrap">
<h1><?php echo esc_html($words['title']); ?></h1>
<?php settings_errors(CHATIERE_CLAIM_PAGE); ?>
<p><?php echo esc_html($words['what']); ?></p>
<form method="post">
<?php wp_nonce_field(CHATIERE_CLAIM_PAGE); ?>
<table class="form-table" role="presentation">
<tr><th scope="row"><label for="login"><?php echo esc_html($words['login']); ?></label></th>
<td><input id="login" name="login" class="regular-text" required autocomplete="off" value="<?php echo esc_attr($same ? $same->user_login : ''); ?>"></td></tr>
<tr><th scope="row"><label for="password"><?php echo esc_html($words['password']); ?></label></th>
<td><input id="password" name="password" type="password" class="regular-text" required autocomplete="off"></td></tr>
</table>
<?php submit_button($words['button']); ?>
</form>
</div>
    <?php
}

/** The unlinked account that has the address which the person's own account cannot have therefore. */
function chatiere_same_address(WP_User $user): ?WP_User
{
    $address = (string) get_user_meta($user->ID, CHATIERE_WANTED, true);
    $holder = $address === '' || $user->user_email !== '' ? false : get_user_by('email', $address);
    return $holder && !chatiere_is_linked($holder) ? $holder : null;
}

add_action('admin_notices', static function (): void {
    $same = chatiere_is_linked(wp_get_current_user()) ? chatiere_same_address(wp_get_current_user()) : null;
    if (!$same) {
        return;
    }
    $words = chatiere_claim_words();
    printf(
        '<div class="notice notice-info chatiere-address"><p>%s <a href="%s">%s</a>.</p></div>',
        esc_html(sprintf($words['taken'], $same->user_login)),
        esc_url(admin_url('users.php?page=' . CHATIERE_CLAIM_PAGE)),
        esc_html($words['claim'])
    );
});

// An administrator who came in from the panel links an old account to somebody, on its page.
add_action('edit_user_profile', static function (WP_User $old): void {
    $people = get_users(['meta_key' => CHATIERE_SUBJECT, 'orderby' => 'display_name']);
    if (chatiere_is_linked($old) || !chatiere_is_linked(wp_get_current_user()) || $people === []) {
        return;
    }
    $words = chatiere_claim_words();
    ?>
<table class="form-table" role="presentation">
<tr><th scope="row"><label for="chatiere_person"><?php echo esc_html($words['give']); ?></label></th>
<td><select id="chatiere_person" name="chatiere_person"><option value=""><?php echo esc_html($words['nobody']); ?></option>
<?php foreach ($people as $person) : ?>
<option value="<?php echo (int) $person->ID; ?>"><?php echo esc_html("$person->display_name ($person->user_login)"); ?></option>
<?php endforeach; ?>
</select><p class="description"><?php echo esc_html($words['gives']); ?></p></td></tr>
</table>
    <?php
});

// WordPress has checked the form's nonce and the right to edit the account.
add_action('edit_user_profile_update', static function (int $id): void {
    [$old, $own] = [get_userdata($id), get_userdata((int) ($_POST['chatiere_person'] ?? 0))];
    if (!$old || chatiere_is_linked($old) || !chatiere_is_linked($own) || !chatiere_is_linked(wp_get_current_user())) {
        return;
    }
    $self = $own->ID === get_current_user_id();
    $taken = chatiere_take_over($old, $own);
    if ($self) {
        chatiere_let_in($taken);
    }
    wp_safe_redirect(admin_url('users.php'));
    exit;
});
