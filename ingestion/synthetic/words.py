"""Names, words and browsers the world is dressed in; no person, shop or brand is real."""

from __future__ import annotations

CURRENCY = "EUR"
"""The shop's one currency."""

PLATFORMS = ("instagram", "tiktok", "youtube")
PLATFORM_WEIGHTS = (0.55, 0.33, 0.12)

NICHES = ("running", "food", "beauty", "home", "outdoor", "fashion")

COUNTRIES = ("DE", "AT", "CH", "NL", "FR", "ES")
COUNTRY_WEIGHTS = (0.6, 0.1, 0.08, 0.1, 0.07, 0.05)

FIRST_NAMES = (
    "Ada", "Ben", "Cleo", "Dario", "Edda", "Finn", "Greta", "Hugo", "Ida", "Jon", "Kaja", "Lio",
    "Mara", "Nils", "Ola", "Pia", "Quirin", "Rosa", "Sami", "Tove", "Uli", "Vera", "Wim", "Xenia",
    "Yara", "Zeno", "Alma", "Boas", "Cara", "Dean", "Elin", "Falk", "Gesa", "Henk", "Iris", "Jette",
    "Karl", "Leni", "Mats", "Nora",
)  # fmt: skip

LAST_NAMES = (
    "Abel", "Brandt", "Conrad", "Dorn", "Engel", "Falke", "Gross", "Hahn", "Iversen", "Jahn",
    "Kern", "Lindt", "Moor", "Nagel", "Oster", "Petri", "Quast", "Reuter", "Stahl", "Thoma",
    "Ulrich", "Vogt", "Wendt", "Ziegler", "Arnold", "Bode", "Cremer", "Dietz", "Ebert", "Frank",
    "Geiger", "Horn",
)  # fmt: skip

PRODUCT_NOUNS = {
    "running": (
        "Trail shoe",
        "Race vest",
        "Running socks",
        "Headlamp",
        "Soft flask",
        "Wind jacket",
        "Cap",
    ),
    "food": (
        "Oat bars",
        "Cold brew",
        "Spice box",
        "Nut butter",
        "Protein mix",
        "Tea tin",
        "Granola",
    ),
    "beauty": (
        "Face oil",
        "Day cream",
        "Hair mask",
        "Lip balm",
        "Clay mask",
        "Hand cream",
        "Serum",
    ),
    "home": ("Linen throw", "Candle", "Mug set", "Cushion", "Vase", "Wall shelf", "Basket"),
    "outdoor": ("Camp stove", "Sleeping bag", "Dry bag", "Tent lamp", "Hip pack", "Rope", "Bottle"),
    "fashion": (
        "Denim shirt",
        "Knit jumper",
        "Tote bag",
        "Belt",
        "Scarf",
        "Wool hat",
        "Sunglasses",
    ),
}
BRANDS = ("Setae", "Gekko", "Lamella")

HASHTAGS = {
    "running": ("running", "longrun"),
    "food": ("foodie", "breakfast"),
    "beauty": ("skincare", "glow"),
    "home": ("interior", "cosy"),
    "outdoor": ("hiking", "camp"),
    "fashion": ("ootd", "style"),
}
DISCLOSURES = ("ad", "werbung", "anzeige", "sponsored")

COMMENTS = (
    "Love this!",
    "Where did you get these?",
    "So good 😍",
    "Is it worth the price?",
    "Ich liebe das 🙌",
    "Wo gibt es die?",
    "Does the code still work?",
    "I ordered it, thank you",
    "me encanta 🔥🔥",
    "Not for me",
    "How long did delivery take?",
    "Amazing amazing amazing!!!!!",
    "What size do you wear?",
    "Tolle Farbe",
    "C'est très joli, merci",
    "Used it for a week and it broke",
)
POD_COMMENTS = ("Great shot 🔥🔥🔥", "Wow 😍😍", "Amazing content!!!!!")
REPLIES = (
    "Thank you so much!",
    "Link in my bio",
    "I wear a 38",
    "Danke dir 🙌",
    "Yes, the code works until Sunday",
)

SURVEY_ANSWERS = {
    "creator": ("saw it at {handle}", "{handle}", "from {first}'s video", "{first} on {platform}"),
    "search": ("google", "searched for it", "Google search"),
    "ads": ("an ad on instagram", "advert", "Werbung"),
    "friend": ("a friend", "Freundin", "my sister"),
    "other": ("don't remember", "podcast", "keine Ahnung", "newspaper"),
}

COUPON_SITES = (
    "https://coupons.example/",
    "https://rabatt-radar.example/",
    "https://dealz.example/",
)

BROWSERS = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148",
    "Mozilla/5.0 (Linux; Android 16; Pixel 9) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 15_1) AppleWebKit/605.1.15 Safari/605.1.15",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36",
    "Mozilla/5.0 (iPad; CPU OS 19_0 like Mac OS X) AppleWebKit/605.1.15",
)
IN_APP_BROWSERS = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Mobile/15E148 Instagram 400.0.0",
    "Mozilla/5.0 (Linux; Android 16; Pixel 9) Mobile Safari/537.36 musical_ly BytedanceWebview",
    "Mozilla/5.0 (Linux; Android 16; Pixel 9) Chrome/140.0 Mobile Safari/537.36 [YTApp]",
)
BOTS = (
    "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
    "Mozilla/5.0 (compatible; Bytespider; spider-feedback@bytedance.com)",
    "Mozilla/5.0 (X11; Linux x86_64) HeadlessChrome/140.0 Safari/537.36",
    "python-requests/2.33",
)
PREVIEWS = ("facebookexternalhit/1.1", "WhatsApp/2.24.10 A", "Slackbot-LinkExpanding 1.0")
"""What fetches a link when somebody pastes it; the second looks like no bot to a plain pattern."""
