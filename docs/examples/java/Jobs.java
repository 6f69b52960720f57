import io.nats.client.AuthHandler;
import io.nats.client.Connection;
import io.nats.client.Message;
import io.nats.client.Nats;
import io.nats.client.Options;
import io.nats.client.Subscription;
import io.nats.client.impl.Headers;
import io.nats.client.impl.NatsMessage;
import io.nats.client.support.JsonParser;
import io.nats.client.support.JsonValue;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.MessageDigest;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Signature;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import java.security.spec.X509EncodedKeySpec;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

import static java.nio.charset.StandardCharsets.UTF_8;

/**
 * Generates a Solana key with a Frostfleet and has a message signed, with NATS' own
 * client and the Ed25519 of Java 17.
 *
 *     mvn -q dependency:copy-dependencies -DoutputDirectory=lib
 *     java -cp 'lib/*' Jobs.java nats://127.0.0.1:4222 manifest.json client0 client.key \
 *         gateway0 GATEWAY_PUBLIC_KEY keys.jsonl
 *
 * Credentials and TLS come from the variables that the nats command line reads: NATS_NKEY
 * or NATS_CREDS, NATS_CA.
 */
public final class Jobs {
    private static final HexFormat HEX = HexFormat.of();

    private final Connection nats;
    private final String fleet, network, client, gateway;
    private final byte[] manifest;
    private final PrivateKey key;
    private final PublicKey gatewayKey;

    private Jobs(Connection nats, JsonValue manifest, String client, PrivateKey key, String gateway,
            PublicKey gatewayKey) throws Exception {
        this.nats = nats;
        this.fleet = manifest.map.get("fleet").string;
        this.network = manifest.map.get("network").string;
        this.manifest = hash(manifest);
        this.client = client;
        this.key = key;
        this.gateway = gateway;
        this.gatewayKey = gatewayKey;
    }

    /** A job's payload, and the answer to it. */
    private record Done(String payload, String json, JsonValue result) {}

    /** Publishes a job and waits for its result. Fields are JSON, each behind a comma. */
    private Done run(String kind, String fields) throws Exception {
        String job = UUID.randomUUID().toString();
        Instant expires = Instant.now().plus(10, ChronoUnit.MINUTES).truncatedTo(ChronoUnit.SECONDS);
        String payload = "{\"job\":\"" + job + "\",\"kind\":\"" + kind + "\",\"expires\":\"" + expires + "\""
                + fields + "}";
        String subject = "frost." + fleet + ".job." + kind + "." + client;
        Signature signer = Signature.getInstance("Ed25519");
        signer.initSign(key);
        signer.update(signed("frostfleet/job/v2", subject, payload.getBytes(UTF_8)));
        String signature = HEX.formatHex(signer.sign());
        Subscription announced = nats.subscribe("frost." + fleet + ".result." + client + "." + job);
        Headers headers = new Headers().add("Frost-Client", client).add("Frost-Signature", signature);
        Message ack = nats.request(NatsMessage.builder().subject(subject).data(payload.getBytes(UTF_8)).headers(headers)
                .build()).get(30, TimeUnit.SECONDS); // after a TimeoutException it may be stored or not
        Map<String, JsonValue> stored = JsonParser.parse(ack.getData()).map;
        if (stored.containsKey("error") || stored.containsKey("duplicate")) { // 10077: busy, 256 open jobs
            throw new Exception("not stored: " + new String(ack.getData(), UTF_8));
        }
        String want = HEX.formatHex(tagged("frostfleet/job/v2", manifest, fleet.getBytes(UTF_8),
                network.getBytes(UTF_8), kind.getBytes(UTF_8), client.getBytes(UTF_8), payload.getBytes(UTF_8)));
        while (Instant.now().isBefore(expires)) {
            Message m = answer(announced, job);
            JsonValue r = m == null ? null : verified(m, job);
            if (r == null || !want.equals(text(r, "digest")) || !text(r, "rejected", signature).equals(signature)) {
                continue; // nothing yet, or the result of another job
            }
            if (!"done".equals(text(r, "status"))) {
                throw new Exception(text(r, "code") + ": " + text(r, "error"));
            }
            return new Done(payload, new String(m.getData(), UTF_8), r);
        }
        throw new Exception("no answer to job " + job);
    }

    /** What client and gateways sign: tag, subject, network, the manifest's hash, the payload, a line each. */
    private byte[] signed(String tag, String subject, byte[] payload) {
        byte[] head = String.join("\n", tag, subject, network, HEX.formatHex(manifest), "").getBytes(UTF_8);
        return ByteBuffer.allocate(head.length + payload.length).put(head).put(payload).array();
    }

    /** The announced result, or after a while of silence the stored one; null if there is none yet. */
    private Message answer(Subscription announced, String job) throws Exception {
        Message m = announced.nextMessage(Duration.ofSeconds(5));
        if (m != null) {
            return m;
        }
        String stream = "FROST_" + fleet.toUpperCase(Locale.ROOT) + "_RESULTS";
        m = nats.request("$JS.API.DIRECT.GET." + stream + ".frost." + fleet + ".res." + client + "." + job, null,
                Duration.ofSeconds(5));
        return m == null || m.isStatusMessage() ? null : m;
    }

    /** The result, if the fleet's gateway signed it. */
    private JsonValue verified(Message m, String job) {
        try {
            Signature verifier = Signature.getInstance("Ed25519");
            verifier.initVerify(gatewayKey);
            String subject = "frost." + fleet + ".result." + client + "." + job;
            verifier.update(signed("frostfleet/result/v2", subject, m.getData()));
            if (gateway.equals(m.getHeaders().getFirst("Frost-Gateway"))
                    && verifier.verify(HEX.parseHex(m.getHeaders().getFirst("Frost-Signature")))) {
                return JsonParser.parse(m.getData());
            }
        } catch (Exception e) { // anybody may have put it there
            System.err.println("ignored a result: " + e);
        }
        return null;
    }

    private static String text(JsonValue object, String name) {
        return text(object, name, "");
    }

    private static String text(JsonValue object, String name, String otherwise) {
        JsonValue value = object.map.get(name);
        return value == null ? otherwise : value.string;
    }

    /** The fleet's hash: SHA-256 over the tag's hash, twice, and parts with their lengths. */
    private static byte[] tagged(String tag, byte[]... parts) throws Exception {
        byte[] t = MessageDigest.getInstance("SHA-256").digest(tag.getBytes(UTF_8));
        MessageDigest h = MessageDigest.getInstance("SHA-256");
        h.update(t);
        h.update(t);
        for (byte[] part : parts) {
            h.update(ByteBuffer.allocate(8).putLong(part.length).array());
            h.update(part);
        }
        return h.digest();
    }

    /** Identity of a manifest, which every signature of the fleet names. */
    private static byte[] hash(JsonValue manifest) throws Exception {
        Map<String, JsonValue> m = manifest.map;
        List<byte[]> parts = new ArrayList<>();
        parts.add(m.get("fleet").string.getBytes(UTF_8));
        parts.add(m.get("network").string.getBytes(UTF_8));
        for (String count : new String[] {"n", "t", "epoch"}) {
            parts.add(ByteBuffer.allocate(4).putInt(m.get(count).i).array());
        }
        parts.add(ByteBuffer.allocate(4).putInt(m.get("attest_signing").bool ? 1 : 0).array());
        for (JsonValue node : m.get("nodes").array) {
            parts.add(HEX.parseHex(node.map.get("identity").string));
            parts.add(HEX.parseHex(node.map.get("encryption").string));
        }
        return tagged("frostfleet/manifest/v1", parts.toArray(new byte[0][]));
    }

    /** An Ed25519 key as Java reads it: its bytes behind the head that RFC 8410 gives them. */
    private static byte[] rfc8410(String head, String hex) {
        if (hex.length() != 64) {
            throw new IllegalArgumentException("a key has 64 hexadecimal digits");
        }
        return HEX.parseHex(head + hex);
    }

    private static PrivateKey privateKey(String seed) throws Exception {
        return KeyFactory.getInstance("Ed25519").generatePrivate(
                new PKCS8EncodedKeySpec(rfc8410("302e020100300506032b657004220420", seed)));
    }

    private static PublicKey publicKey(String point) throws Exception {
        return KeyFactory.getInstance("Ed25519").generatePublic(
                new X509EncodedKeySpec(rfc8410("302a300506032b6570032100", point)));
    }

    /** A file with an nkey's seed or a .creds file, and the authority's certificate. */
    private static Options options(String url) throws Exception {
        Options.Builder o = new Options.Builder().server(url).reportNoResponders()
                .connectionTimeout(Duration.ofSeconds(30)).maxReconnects(-1);
        AuthHandler auth = null;
        if (System.getenv("NATS_NKEY") != null) {
            String seed = Files.readString(Path.of(System.getenv("NATS_NKEY"))).trim();
            auth = Nats.staticCredentials(null, seed.toCharArray());
        } else if (System.getenv("NATS_CREDS") != null) {
            auth = Nats.credentials(System.getenv("NATS_CREDS"));
        }
        if (auth != null) {
            o.authHandler(auth);
        }
        if (System.getenv("NATS_CA") != null) {
            KeyStore trusted = KeyStore.getInstance(KeyStore.getDefaultType());
            trusted.load(null, null);
            try (InputStream file = Files.newInputStream(Path.of(System.getenv("NATS_CA")))) {
                trusted.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(file));
            }
            TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
            trust.init(trusted);
            SSLContext tls = SSLContext.getInstance("TLS");
            tls.init(null, trust.getTrustManagers(), null);
            o.sslContext(tls);
        }
        return o.build();
    }

    public static void main(String[] args) throws Exception {
        if (args.length != 7) {
            System.err.println("usage: Jobs.java URL MANIFEST CLIENT KEY_FILE GATEWAY GATEWAY_PUBLIC_KEY KEYS_FILE");
            System.exit(2);
        }
        JsonValue manifest = JsonParser.parse(Files.readAllBytes(Path.of(args[1])));
        PrivateKey key = privateKey(Files.readString(Path.of(args[3])).trim());
        try (Connection nats = Nats.connect(options(args[0]))) {
            Jobs fleet = new Jobs(nats, manifest, args[2], key, args[4], publicKey(args[5]));

            Done made = fleet.run("keygen", ",\"chain\":\"solana\",\"count\":1");
            Files.writeString(Path.of(args[6]), "{\"client\":\"" + args[2] + "\",\"job\":"
                    + new JsonValue(made.payload()).toJson() + ",\"result\":" + made.json() + "}\n",
                    StandardOpenOption.CREATE, StandardOpenOption.APPEND); // for: frostctl verify --keys
            JsonValue one = made.result().map.get("keys").array.get(0);

            byte[] message = "hello from Java".getBytes(UTF_8);
            Done done = fleet.run("sign", ",\"items\":[{\"key\":\"" + text(one, "id") + "\",\"message\":\""
                    + HEX.formatHex(message) + "\"}]");
            String signature = text(done.result().map.get("signatures").array.get(0), "signature");
            Signature verifier = Signature.getInstance("Ed25519");
            verifier.initVerify(publicKey(text(one, "public_key")));
            verifier.update(message);
            if (!verifier.verify(HEX.parseHex(signature))) {
                throw new Exception("the signature does not verify");
            }
            System.out.println("{\"key\":\"" + text(one, "id") + "\",\"address\":\"" + text(one, "address")
                    + "\",\"signature\":\"" + signature + "\"}");
        }
    }
}
