<?php
/** The little that a new site shows: a word of welcome, and nothing to clear away. */

function first_content(int $author, string $title): void
{
    global $wpdb;

    $name = __('Uncategorized');
    $wpdb->insert($wpdb->terms, ['term_id' => 1, 'name' => $name, 'slug' => sanitize_title($name), 'term_group' => 0]);
    $wpdb->insert($wpdb->term_taxonomy, ['term_id' => 1, 'taxonomy' => 'category', 'description' => '', 'parent' => 0, 'count' => 0]);
    update_option('default_category', 1);

    $french = str_starts_with(get_locale(), 'fr');
    $texts = $french ? [
        'title' => 'Bienvenue',
        'slug' => 'bienvenue',
        'body' => ['Le site « %s » vient d’ouvrir.', 'Les premières nouvelles arrivent bientôt.'],
        'legal' => 'Mentions légales',
        'legal_body' => 'Qui publie ce site, et qui l’héberge : à compléter avant de publier cette page.',
    ] : [
        'title' => 'Welcome',
        'slug' => 'welcome',
        'body' => ['The site “%s” has just opened.', 'The first news will follow soon.'],
        'legal' => 'Legal notice',
        'legal_body' => 'Who publishes this site and who hosts it: to be completed before this page is published.',
    ];
    $body = array_map(static fn (string $text): string => paragraph(sprintf($text, $title)), $texts['body']);
    first_post($author, ['post_title' => $texts['title'], 'post_name' => $texts['slug'], 'post_content' => implode("\n\n", $body), 'post_category' => [1]]);
    first_post($author, ['post_title' => $texts['legal'], 'post_content' => paragraph($texts['legal_body']), 'post_type' => 'page', 'post_status' => 'draft']);
    first_footer($author);
}

/** The theme's own footer shows invented links, which would have to be cleared away. */
function first_footer(int $author): void
{
    foreach (['wp_theme' => WP_DEFAULT_THEME, 'wp_template_part_area' => 'footer'] as $taxonomy => $term) {
        wp_insert_term($term, $taxonomy);
    }
    $footer = first_post($author, [
        'post_type' => 'wp_template_part',
        'post_title' => 'Footer',
        'post_name' => 'footer',
        'post_content' => '<!-- wp:group {"style":{"spacing":{"padding":{"top":"var:preset|spacing|50","bottom":"var:preset|spacing|50"}}},"layout":{"type":"constrained"}} -->'
            . '<div class="wp-block-group" style="padding-top:var(--wp--preset--spacing--50);padding-bottom:var(--wp--preset--spacing--50)">'
            . '<!-- wp:site-title {"level":0,"textAlign":"center"} /-->'
            . '</div><!-- /wp:group -->',
    ]);
    wp_set_object_terms($footer, WP_DEFAULT_THEME, 'wp_theme');
    wp_set_object_terms($footer, 'footer', 'wp_template_part_area');
}

function first_post(int $author, array $post): int
{
    $made = wp_insert_post(wp_slash($post) + [
        'post_author' => $author,
        'post_type' => 'post',
        'post_status' => 'publish',
        'comment_status' => 'closed',
        'ping_status' => 'closed',
    ], true);
    return is_wp_error($made) ? fail('writing the first page: ' . $made->get_error_message()) : $made;
}

function paragraph(string $text): string
{
    return "<!-- wp:paragraph -->\n<p>" . esc_html($text) . "</p>\n<!-- /wp:paragraph -->";
}
