// Reads travel documents with JMRTD over PC/SC, one for each line of standard
// input "NUMBER,YYMMDD,YYMMDD,BLOCK,PEM", and prints one line for each. BLOCK is
// the largest READ BINARY, PEM the file with the inspection system's key; both
// may be empty:
// access|mapping|DG1|DG2|chip authentication|terminal authentication|DG3|DG4|pictures|commands|milliseconds|error
// DG1 to DG4 are SHA-256 of the files, pictures those of the images in DG2 to
// DG4 as JMRTD takes them out. Driven by jmrtd_test.go; the reader's name is the
// argument.

import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.MessageDigest;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Security;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.logging.Level;
import java.util.logging.Logger;
import javax.smartcardio.Card;
import javax.smartcardio.CardTerminal;
import javax.smartcardio.TerminalFactory;
import net.sf.scuba.smartcards.CardService;
import net.sf.scuba.smartcards.CardServiceException;
import net.sf.scuba.smartcards.CommandAPDU;
import net.sf.scuba.smartcards.ResponseAPDU;
import org.ejbca.cvc.CVCertificate;
import org.ejbca.cvc.CertificateParser;
import org.jmrtd.BACKey;
import org.jmrtd.PassportService;
import org.jmrtd.cbeff.BiometricDataBlock;
import org.jmrtd.cert.CVCPrincipal;
import org.jmrtd.cert.CardVerifiableCertificate;
import org.jmrtd.lds.CBEFFDataGroup;
import org.jmrtd.lds.CVCAFile;
import org.jmrtd.lds.CardAccessFile;
import org.jmrtd.lds.ChipAuthenticationInfo;
import org.jmrtd.lds.ChipAuthenticationPublicKeyInfo;
import org.jmrtd.lds.ImageInfo;
import org.jmrtd.lds.PACEInfo;
import org.jmrtd.lds.SecurityInfo;
import org.jmrtd.lds.icao.DG14File;
import org.jmrtd.lds.icao.DG2File;
import org.jmrtd.lds.icao.DG3File;
import org.jmrtd.lds.icao.DG4File;
import org.jmrtd.lds.iso19794.FaceInfo;
import org.jmrtd.lds.iso19794.FingerInfo;
import org.jmrtd.lds.iso19794.IrisBiometricSubtypeInfo;
import org.jmrtd.lds.iso19794.IrisInfo;
import org.jmrtd.lds.iso39794.FaceImageDataBlock;
import org.jmrtd.lds.iso39794.FingerImageDataBlock;
import org.jmrtd.lds.iso39794.IrisImageDataBlock;
import org.jmrtd.protocol.EACCAResult;
import org.jmrtd.protocol.PACEResult;

public class Read {
  // Reader is a card in a terminal of javax.smartcardio.
  static class Reader extends CardService {
    final CardTerminal terminal;
    Card card;
    int commands;

    Reader(CardTerminal terminal) {
      this.terminal = terminal;
    }

    public void open() throws CardServiceException {
      Exception last = null;
      for (int i = 0; i < 100; i++) { // a card just laid down may not be told of yet
        try {
          terminal.waitForCardPresent(200);
          card = terminal.connect("*");
          return;
        } catch (Exception e) {
          last = e;
        }
        try {
          Thread.sleep(20);
        } catch (InterruptedException e) {
          break;
        }
      }
      throw new CardServiceException("connect: " + last);
    }

    public boolean isOpen() {
      return card != null;
    }

    public ResponseAPDU transmit(CommandAPDU command) throws CardServiceException {
      commands++;
      try {
        byte[] answer = card.getBasicChannel().transmit(new javax.smartcardio.CommandAPDU(command.getBytes())).getBytes();
        return new ResponseAPDU(answer);
      } catch (Exception e) {
        throw new CardServiceException("transmit: " + e.getMessage());
      }
    }

    public byte[] getATR() {
      return card.getATR().getBytes();
    }

    public boolean isExtendedAPDULengthSupported() {
      return true;
    }

    public boolean isConnectionLost(Exception e) {
      return false;
    }

    public void close() {
      try {
        if (card != null) {
          card.disconnect(true);
        }
      } catch (Exception e) {
        // The card may be gone already.
      }
      card = null;
    }
  }

  static byte[] all(InputStream in) throws Exception {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    in.transferTo(out);
    return out.toByteArray();
  }

  static String digest(byte[] data) throws Exception {
    return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(data));
  }

  static String oneLine(Throwable e) {
    StringBuilder text = new StringBuilder();
    for (Throwable cause = e; cause != null && text.length() < 300; cause = cause.getCause()) {
      text.append(text.length() > 0 ? " < " : "").append(cause.getClass().getSimpleName()).append(": ").append(cause.getMessage());
    }
    return text.toString().replace('\n', ' ').replace('|', '/');
  }

  // Signer is the inspection system's key with its certificates.
  static class Signer {
    PrivateKey key;
    final List<CardVerifiableCertificate> chain = new ArrayList<>();

    Signer(String path) throws Exception {
      byte[] secret = null;
      for (String block : Files.readString(Path.of(path)).split("-----BEGIN ")) {
        int end = block.indexOf("-----END");
        if (end < 0) {
          continue;
        }
        byte[] der = Base64.getMimeDecoder().decode(block.substring(block.indexOf("-----") + 5, end).trim());
        if (block.startsWith("PRIVATE KEY")) {
          secret = der;
        } else {
          chain.add(new Certificate(CertificateParser.parseCertificate(der)));
        }
      }
      String algorithm = chain.get(chain.size() - 1).getPublicKey().getAlgorithm();
      key = KeyFactory.getInstance(algorithm.startsWith("EC") ? "EC" : "RSA", "BC").generatePrivate(new PKCS8EncodedKeySpec(secret));
    }
  }

  // Certificate opens JMRTD's way to make a certificate of a parsed one.
  static class Certificate extends CardVerifiableCertificate {
    Certificate(CVCertificate parsed) {
      super(parsed);
    }
  }

  // images are the pictures of a record, whichever standard it follows.
  static List<ImageInfo> images(BiometricDataBlock record) {
    List<ImageInfo> all = new ArrayList<>();
    if (record instanceof FaceInfo) {
      all.addAll(((FaceInfo) record).getFaceImageInfos());
    } else if (record instanceof FingerInfo) {
      all.addAll(((FingerInfo) record).getFingerImageInfos());
    } else if (record instanceof IrisInfo) {
      for (IrisBiometricSubtypeInfo eye : ((IrisInfo) record).getIrisBiometricSubtypeInfos()) {
        all.addAll(eye.getIrisImageInfos());
      }
    } else if (record instanceof FaceImageDataBlock) {
      all.addAll(((FaceImageDataBlock) record).getRepresentationBlocks());
    } else if (record instanceof FingerImageDataBlock) {
      all.addAll(((FingerImageDataBlock) record).getRepresentationBlocks());
    } else if (record instanceof IrisImageDataBlock) {
      all.addAll(((IrisImageDataBlock) record).getRepresentationBlocks());
    }
    return all;
  }

  static void pictures(List<String> found, CBEFFDataGroup group) throws Exception {
    for (BiometricDataBlock record : group.getSubRecords()) {
      for (ImageInfo image : images(record)) {
        found.add(digest(all(image.getImageInputStream())));
      }
    }
  }

  static String read(CardTerminal terminal, String number, String birth, String expiry, String block, String pem) {
    String access = "", mapping = "", dg1 = "", dg2 = "", dg3 = "", dg4 = "", chip = "", admitted = "", error = "";
    List<String> pictures = new ArrayList<>();
    long start = System.nanoTime();
    Reader card = new Reader(terminal);
    try {
      int size = block.isEmpty() ? PassportService.DEFAULT_MAX_BLOCKSIZE : Integer.parseInt(block);
      Signer signer = pem.isEmpty() ? null : new Signer(pem);
      PassportService passport = new PassportService(card, 65536, Math.max(256, size + 64), size, false, false);
      passport.open();
      card.commands = 0;
      start = System.nanoTime();
      BACKey key = new BACKey(number, birth, expiry);
      PACEResult pace = null;
      EACCAResult agreed = null;
      try {
        CardAccessFile offers = new CardAccessFile(passport.getInputStream(PassportService.EF_CARD_ACCESS));
        for (SecurityInfo info : offers.getSecurityInfos()) {
          if (info instanceof PACEInfo && pace == null) {
            PACEInfo p = (PACEInfo) info;
            mapping = PACEInfo.toMappingType(p.getObjectIdentifier()).toString();
            pace = passport.doPACE(key, p.getObjectIdentifier(), PACEInfo.toParameterSpec(p.getParameterId()), p.getParameterId());
            access = "pace";
          }
        }
      } catch (Exception e) {
        error = oneLine(e);
      }
      passport.sendSelectApplet(pace != null);
      if (pace == null) {
        passport.doBAC(key);
        access = "bac";
      }
      dg1 = digest(all(passport.getInputStream(PassportService.EF_DG1)));
      try {
        DG14File dg14 = new DG14File(passport.getInputStream(PassportService.EF_DG14));
        String oid = null;
        for (SecurityInfo info : dg14.getSecurityInfos()) {
          if (info instanceof ChipAuthenticationInfo) {
            oid = info.getObjectIdentifier();
          }
        }
        for (SecurityInfo info : dg14.getSecurityInfos()) {
          if (info instanceof ChipAuthenticationPublicKeyInfo) {
            ChipAuthenticationPublicKeyInfo k = (ChipAuthenticationPublicKeyInfo) info;
            PublicKey publicKey = k.getSubjectPublicKey();
            BigInteger id = k.getKeyId();
            agreed = passport.doEACCA(id, oid, k.getObjectIdentifier(), publicKey);
            chip = "done";
          }
        }
      } catch (Exception e) {
        chip = oneLine(e);
      }
      byte[] face = all(passport.getInputStream(PassportService.EF_DG2));
      dg2 = digest(face);
      if (chip.equals("done")) {
        chip = "proven"; // DG2 was answered under the new keys
      }
      all(passport.getInputStream(PassportService.EF_SOD));
      byte[] fingers = null, irises = null;
      if (signer != null) {
        try {
          CVCAFile authorities = new CVCAFile(passport.getInputStream(PassportService.EF_CVCA));
          CVCPrincipal authority = authorities.getCAReference();
          if (pace != null) {
            passport.doEACTA(authority, signer.chain, signer.key, null, agreed, pace);
          } else {
            passport.doEACTA(authority, signer.chain, signer.key, null, agreed, number);
          }
          admitted = "done";
          fingers = all(passport.getInputStream(PassportService.EF_DG3));
          irises = all(passport.getInputStream(PassportService.EF_DG4));
        } catch (Exception e) {
          admitted = oneLine(e);
        }
      }
      long end = System.nanoTime();
      if (fingers != null && irises != null) {
        admitted = "proven";
        dg3 = digest(fingers);
        dg4 = digest(irises);
      }
      try { // what is in the files is not part of the reading's time
        pictures(pictures, new DG2File(new java.io.ByteArrayInputStream(face)));
        if (fingers != null && irises != null) {
          pictures(pictures, new DG3File(new java.io.ByteArrayInputStream(fingers)));
          pictures(pictures, new DG4File(new java.io.ByteArrayInputStream(irises)));
        }
      } catch (Exception e) {
        pictures.add(oneLine(e));
      }
      start += System.nanoTime() - end;
    } catch (Throwable e) {
      error = (error + " " + oneLine(e)).trim();
    }
    long took = (System.nanoTime() - start) / 1_000;
    card.close();
    return String.join("|", access, mapping, dg1, dg2, chip, admitted, dg3, dg4, String.join("+", pictures),
        Integer.toString(card.commands), String.format(java.util.Locale.ROOT, "%.3f", took / 1000.0), error);
  }

  public static void main(String[] args) throws Exception {
    Logger.getLogger("").setLevel(Level.OFF);
    Security.insertProviderAt(new org.bouncycastle.jce.provider.BouncyCastleProvider(), 1);
    CardTerminal terminal = TerminalFactory.getDefault().terminals().getTerminal(args[0]);
    if (terminal == null) {
      System.err.println("no reader " + args[0]);
      System.exit(1);
    }
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      String[] f = line.split(",", 5);
      System.out.println(read(terminal, f[0], f[1], f[2], f[3], f[4]));
      System.out.flush();
    }
  }
}
