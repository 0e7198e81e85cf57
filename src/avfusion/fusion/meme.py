"""Mutually supervised VAE (MEME): each modality's encoding is the prior of the other's.

Source   Joy et al.: "Learning Multimodal VAEs through Mutual Supervision", ICLR 2022,
         arXiv:2106.12570, section 3, and its published code. Not about emotion.
Idea     Each modality labels the other, as in a semi-supervised VAE. The latents of both get
         close, so one can replace the other where a modality is missing.

    q_m(z|x_m), p_m(x_m|z)                              (k)       encoder, decoder; m in {a, v}
    w   = p_o(x_o|z) / Q                                          z from q_m, o the other modality
    Q   = mean of p_o(x_o|z_k) over z and K more z_k from q_m
    L_m = w (log p_m(x_m|z) - log p_o(x_o|z) - KL(q_m, q_o)) + log Q           both are present
    L_m = log p_m(x_m|z) + log r_o(z) - log q_m(z|x_m)                         only m is present
    r_o(z) = mean of q_o(z|u_n) over N learned pseudo-inputs u_n
    L   = (L_a + L_v) / 2 of a clip with both, L_m of a clip with one
    Z_m = mean of q_m(z|x_m); of q_o(z|x_o) if only o is present; else 0
    Y   = [Z_v ; Z_a]                                   (T, 2k)

         The training loss gets -weight times the mean of L over the clips, per feature of audio and
         video. Densities: layers/variational.py. No gradient passes through w.
Options  `weight: 0` leaves out the supervision: a control.
Masks    A clip with neither modality has no L, and a row of zeros.
Departs  The paper learns without labels; we add the loss of a task, and a head that reads Y. Z_m is
         the mean of q_m and not a sample, so Y is deterministic. The paper's networks for images
         and sentences are one hidden layer here, on each clip's features. k = 64 and K = 10 are
         published. The published code weighs log Q by 10, adds L_a and L_v without 1/2, and has as
         many u_n as a batch has examples, which start from given tensors; here the weight is 1, the
         two are averaged, N = 16, and u_n start from N(0, 1). As in the code, KL(q_m, q_o) is the
         closed form and not a sample.
"""

import math

import torch
from torch import Tensor, nn

from avfusion.fusion.base import Fused, Fusion
from avfusion.fusion.layers.variational import (
    Decoder,
    Encoder,
    Gauss,
    laplace_log_density,
    mixture_log_density,
)
from avfusion.registry import fusions


@fusions.add("meme")
class MutuallySupervised(Fusion):
    """Two VAEs over one latent space, each the other's prior."""

    def __init__(
        self,
        audio_dim: int,
        video_dim: int,
        *,
        steps: int,
        latent: int = 64,
        hidden: int = 128,
        samples: int = 10,
        pseudo: int = 16,
        weight: float = 1.0,
    ) -> None:
        super().__init__()
        self.audio, self.video = (_Vae(d, hidden, latent, pseudo) for d in (audio_dim, video_dim))
        self.samples, self.weight = samples, weight
        self.out_dim = 2 * latent

    def forward(
        self, audio: Tensor, video: Tensor, audio_present: Tensor, video_present: Tensor
    ) -> Fused:
        """audio (B, T, Da), video (B, T, Dv), present (B, T) -> features (B, T, 2k)."""
        heard, seen = audio_present[..., None], video_present[..., None]  # (B, T, 1)
        z_audio = self.audio.encode(audio).mean * heard  # (B, T, k)
        z_video = self.video.encode(video).mean * seen
        both = z_video.where(seen, z_audio), z_audio.where(heard, z_video)
        return Fused(torch.cat(both, dim=-1), {})

    def auxiliary_loss(
        self, audio: Tensor, video: Tensor, audio_present: Tensor, video_present: Tensor
    ) -> Tensor:
        """Return -weight times the mean of L per feature; arguments of `forward`."""
        q_audio, q_video = self.audio.encode(audio), self.video.encode(video)
        hear, see = (self.audio, audio, q_audio), (self.video, video, q_video)
        both = (self._mutual(*hear, *see) + self._mutual(*see, *hear)) / 2  # (B, T)
        one = self._alone(*hear, self.video).where(audio_present, self._alone(*see, self.audio))
        some = audio_present | video_present
        bound = both.where(audio_present & video_present, one).where(some, 0)
        features = audio.shape[-1] + video.shape[-1]
        return -self.weight * bound.sum() / some.sum().clamp(min=1) / features

    def _mutual(
        self, vae: "_Vae", x: Tensor, q: Gauss, other: "_Vae", label: Tensor, prior: Gauss
    ) -> Tensor:
        """L_m (B, T) of clips with both; x, q of modality m, label and prior of the other."""
        z = q.drawn(1 + self.samples)  # (1+K, B, T, k)
        labelled = laplace_log_density(label, other.decode(z))  # (1+K, B, T)
        evidence = labelled.logsumexp(0) - math.log(len(z))  # log Q
        weight = (labelled[0] - evidence).exp().detach()
        gain = laplace_log_density(x, vae.decode(z[0])) - labelled[0] - q.divergence(prior)
        return weight * gain + evidence

    def _alone(self, vae: "_Vae", x: Tensor, q: Gauss, other: "_Vae") -> Tensor:
        """L_m (B, T) of clips with only x."""
        z = q.drawn(1)[0]
        prior = mixture_log_density(z, other.encode(other.pseudo))
        return laplace_log_density(x, vae.decode(z)) + prior - q.log_density(z)


class _Vae(nn.Module):
    """Encoder, decoder and pseudo-inputs of one modality."""

    def __init__(self, inputs: int, hidden: int, latent: int, pseudo: int) -> None:
        super().__init__()
        self.encode, self.decode = Encoder(inputs, hidden, latent), Decoder(latent, hidden, inputs)
        self.pseudo = nn.Parameter(torch.randn(pseudo, inputs))  # u
